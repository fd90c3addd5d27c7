"""A training as its run folder sees it: what is said and kept when it begins, and when it goes on."""

import logging
import os
import platform
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from omegaconf import DictConfig, OmegaConf

from leyden.runs.folder import RunFolder
from leyden.runs.provenance import differences
from leyden.runs.record import Record
from leyden.training import SupervisedModule, TensorDataModule
from leyden.training.callbacks.hooks import only_own_hooks
from leyden.training.loggers import CSVLogger, TensorBoardLogger

log = logging.getLogger(__name__)

COMPARED = ("seed", "model", "data", "optimizer", "scheduler", "trainer")


@only_own_hooks
class Run(Callback):
    """Tells the loggers what one compares runs by, the provenance what is used, and the terminal what begins.

    `resumed` is called when a run that goes on has truly begun again; None for a new run.
    """

    def __init__(self, config: DictConfig, record: Record, resumed: Callable[[], None] | None) -> None:
        self.config = config
        self.record = record
        self.folder = record.run
        self.resumed = resumed

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        going_on = f" from step {trainer.global_step:,} on" if self.resumed else ""
        self.begin(trainer)
        if not trainer.is_global_zero:
            return
        # A plain module has an optimizer of its own: what the config says of it would be untrue.
        unused = () if isinstance(pl_module, SupervisedModule) else ("optimizer", "scheduler")
        compared = [group for group in COMPARED if group not in unused]
        resolved: dict[str, Any] = OmegaConf.to_container(self.config, resolve=True)  # type: ignore[assignment]
        for logger in trainer.loggers:
            logger.log_hyperparams({group: resolved.get(group) for group in compared})
        data = trainer.datamodule  # type: ignore[attr-defined]
        self.folder.write_provenance(
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
        name = type(pl_module).__name__
        log.info(f"{self.config.name}: training {name} ({count:,} parameters) on {where}{going_on}, in {self.folder}")
        if not trainer.fast_dev_run and (trainer.check_val_every_n_epoch or 1) > (trainer.max_epochs or 1) > 0:  # type: ignore[attr-defined]
            log.info("no validation: trainer.check_val_every_n_epoch is more than trainer.max_epochs")

    def begin(self, trainer: Trainer) -> None:
        """Nothing can be wrong with the config any more. To call again does nothing."""
        self.record.begun()
        if self.resumed is None or not trainer.is_global_zero:
            return
        self.resumed()
        self.resumed = None
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger | CSVLogger):
                logger.continue_from(trainer.global_step)

    def state_dict(self) -> dict[str, Any]:
        return self.record.state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.record.result |= state_dict

    def _say_what_differs(self, first: RunFolder) -> None:
        """Between what the run that is run again was made of, and what this one is."""
        before, now = first.provenance(), self.folder.provenance()
        if before is not None and now is not None:
            for line in differences(before, now):
                log.warning(f"not as in {first}: {line}")


def device_names(trainer: Trainer) -> list[str]:
    if trainer.strategy.root_device.type == "cuda":
        return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return [f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"]
