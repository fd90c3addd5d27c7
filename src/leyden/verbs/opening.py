"""What is said and kept once a training is known to begin."""

import logging
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from omegaconf import DictConfig, OmegaConf

from leyden.runs.folder import RunFolder
from leyden.runs.provenance import differences
from leyden.training import SupervisedModule, TensorDataModule
from leyden.training.loggers import CSVLogger, TensorBoardLogger

log = logging.getLogger(__name__)

COMPARED = ("seed", "model", "data", "optimizer", "scheduler", "trainer")


class Opening(Callback):
    """Tells the loggers what one compares runs by, the provenance what is used, and the terminal what begins."""

    def __init__(
        self, config: DictConfig, run: RunFolder, begun: Sequence[Callable[[], None]], checkpoint: Path | None
    ) -> None:
        self.config = config
        self.run = run
        self.begun = begun
        self.checkpoint = checkpoint

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        for tell in self.begun:
            tell()
        for logger in trainer.loggers:
            if self.checkpoint and isinstance(logger, TensorBoardLogger | CSVLogger):
                logger.continue_from(trainer.global_step)
        # A plain module has an optimizer of its own: what the config says of it would be untrue.
        unused = () if isinstance(pl_module, SupervisedModule) else ("optimizer", "scheduler")
        compared = [group for group in COMPARED if group not in unused]
        resolved: dict[str, Any] = OmegaConf.to_container(self.config, resolve=True)  # type: ignore[assignment]
        for logger in trainer.loggers:
            logger.log_hyperparams({group: resolved.get(group) for group in compared})
        data = trainer.datamodule  # type: ignore[attr-defined]
        self.run.write_provenance(
            {
                "data": data.fingerprint() if isinstance(data, TensorDataModule) else None,
                "devices": device_names(trainer),
                "deterministic": torch.are_deterministic_algorithms_enabled(),
                "threads": torch.get_num_threads(),
            }
        )
        if self.config.rerun:
            self._say_what_differs(RunFolder(self.config.rerun))
        count = sum(parameter.numel() for parameter in pl_module.parameters())
        where = f"{trainer.world_size} x {trainer.strategy.root_device.type}"
        log.info(
            f"{self.config.name}: training {type(pl_module).__name__} ({count:,} parameters) on {where}, in {self.run}"
        )
        if not trainer.fast_dev_run and (trainer.check_val_every_n_epoch or 1) > (trainer.max_epochs or 1) > 0:  # type: ignore[attr-defined]
            log.info("no validation: trainer.check_val_every_n_epoch is more than trainer.max_epochs")

    def _say_what_differs(self, first: RunFolder) -> None:
        """Between what the run that is run again was made of, and what this one is."""
        before, now = first.provenance(), self.run.provenance()
        if before is not None and now is not None:
            for line in differences(before, now):
                log.warning(f"not as in {first}: {line}")


def device_names(trainer: Trainer) -> list[str]:
    if trainer.strategy.root_device.type == "cuda":
        return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return [f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"]
