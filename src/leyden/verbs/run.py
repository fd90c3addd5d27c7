"""A training as its run folder sees it: what is said and kept when it begins, and when it goes on."""

import logging
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from omegaconf import DictConfig, OmegaConf
from rich.console import RenderableType

from leyden.errors import UserError
from leyden.runs.folder import RunFolder
from leyden.runs.processes import is_first_process
from leyden.runs.provenance import differences
from leyden.runs.record import Record
from leyden.runs.safe_yaml import flat
from leyden.sweeps.plan import apart
from leyden.training import SupervisedModule, TensorDataModule
from leyden.training.agreement import disagreements
from leyden.training.callbacks.hooks import only_own_hooks
from leyden.training.loggers import RunLogger, TensorBoardLogger
from leyden.training.population import Population, PopulationData
from leyden.training.retune import Options, check_length, retune
from leyden.verbs.tables import print_and_keep

log = logging.getLogger(__name__)

COMPARED = ("seed", "population", "model", "data", "optimizer", "scheduler", "trainer")


@dataclass(frozen=True)
class Resumed:
    """A run that goes on, by a command of `words`: from `checkpoint`, or from its start where it had none.

    `result` is what it had come to, `provenance` what it is made of now, `model_was` what of the model is not as it
    was. `begun` is called when nothing can be wrong with its config any more.
    """

    words: Sequence[str]
    result: Mapping[str, Any]
    checkpoint: Path | None
    provenance: Mapping[str, Any]
    begun: Callable[[], None] = lambda: None
    model_was: Sequence[str] = ()


@only_own_hooks
class Run(Callback):
    """Tells the loggers what one compares runs by, the provenance what is used, and the terminal what begins."""

    def __init__(
        self, config: DictConfig, record: Record, resumed: Resumed | None, tree: RenderableType | None = None
    ) -> None:
        """`tree` is what the terminal shows of the config, if anything."""
        self.config = config
        self.tree = tree
        self.record = record
        self.folder = record.run
        self.resumed = resumed
        self._continued = False
        self._trained_with: tuple[Options, Options] | None = None
        self._logged = 0  # steps that the loggers keep of a run that goes on
        self._has_begun = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit" and (said := disagreements(pl_module, trainer.datamodule)):  # type: ignore[attr-defined]
            raise UserError(*said)
        for logger in trainer.loggers if stage == "fit" else ():  # before Lightning logs the model's alone
            varied = self._varied() if isinstance(logger, TensorBoardLogger) else {}  # others hide the rest themselves
            logger.log_hyperparams(varied or self._compared(pl_module))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"  # Lightning's 1 has every optimizer step ask NVML for GPUs
        if self.resumed and isinstance(pl_module, SupervisedModule):
            self._retune(trainer, pl_module)
        self.continue_curves(trainer)
        if trainer.is_global_zero:
            self._keep_provenance(trainer)
            self._log_texts(trainer)
            self._say_what_begins(trainer, pl_module)

    def _keep_provenance(self, trainer: Trainer) -> None:
        """What is used; where a run goes on or is run again, what of it is not as it was is said."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        facts: dict[str, Any] = {
            "data": data.fingerprint() if isinstance(data, TensorDataModule | PopulationData) else None,
            "devices": device_names(trainer),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "threads": torch.get_num_threads(),
        }
        before = self.folder.provenance()
        if self.resumed:
            when = datetime.now().isoformat(timespec="seconds")
            lines = said_to_differ("when it began", before, {**self.resumed.provenance, **facts})
            again = {"when": when, "step": trainer.global_step, "differences": lines}
            again |= {key: self.resumed.provenance[key] for key in ("command", "code")}
            facts = {"resumed": [*before.get("resumed", []), again]}
        elif self.config.rerun:
            first = RunFolder(self.config.rerun)
            said_to_differ(f"in {first}", first.provenance(), before | facts)
        self.folder.write_provenance(facts)

    def _say_what_begins(self, trainer: Trainer, model: LightningModule) -> None:
        count = sum(parameter.numel() for parameter in model.parameters())
        said = f"{type(model).__name__} ({count:,} parameters)"
        if isinstance(model, Population):
            each = f"{type(model.model).__name__} ({count // len(model):,} parameters each)"
            said = f"{len(model):,} x {each}"
        where = f"{trainer.world_size} x {trainer.strategy.root_device.type}"
        if trainer.strategy.root_device.type == "cpu" and torch.accelerator.is_available():
            where += " (a GPU is there: trainer=gpu)"
        if self.tree is not None:
            print_and_keep(self.folder, self.tree)
        going_on = f" from step {trainer.global_step:,} on" if self.resumed else ""
        log.info(f"{self.config.name}: training {said} on {where}{going_on}")
        log.info(f"in {self.folder}")  # a line of its own: both together are wider than a terminal
        if not trainer.fast_dev_run and (trainer.check_val_every_n_epoch or 1) > (trainer.max_epochs or 1) > 0:  # type: ignore[attr-defined]
            log.info("no validation: trainer.check_val_every_n_epoch is more than trainer.max_epochs")
        elif trainer.limit_val_batches != 0 and trainer.num_val_batches and not sum(trainer.num_val_batches):
            log.info("no validation: val has no batch")

    def _log_texts(self, trainer: Trainer) -> None:
        """The run's config and what it is made of, for TensorBoard; once more where it goes on, as both may differ."""
        for key, file, language in (("config", "config.yaml", "yaml"), ("provenance", "provenance.json", "json")):
            text = f"```{language}\n{(self.folder.path / file).read_text()}\n```"
            for logger in trainer.loggers:
                if isinstance(logger, TensorBoardLogger):
                    logger.log_text(key, text, trainer.global_step)

    def _varied(self) -> dict[str, Any]:
        """Of a job of a sweep, what varies."""
        varies = apart(self.folder)
        values = {key: OmegaConf.select(self.config, key) for key in varies}
        return {key: varies[key] if OmegaConf.is_config(value) else value for key, value in values.items()}

    def _compared(self, model: LightningModule) -> dict[str, Any]:
        """What one compares runs by."""
        # A plain module has an optimizer of its own: what the config says of it would be untrue.
        unused: tuple[str, ...] = ("population",) if self.config.get("population") is None else ()
        unused += () if isinstance(model, SupervisedModule) else ("optimizer", "scheduler")
        resolved: dict[str, Any] = OmegaConf.to_container(self.config, resolve=True)  # type: ignore[assignment]
        return {group: resolved.get(group) for group in COMPARED if group not in unused}

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        self.begin(trainer)
        self.on_train_batch_end = None  # type: ignore[method-assign,assignment]  # it costs time in every step

    def begin(self, trainer: Trainer) -> None:
        """Nothing can be wrong with the config any more."""
        self._has_begun = True
        self.record.begun()
        if self.resumed and is_first_process():
            self.resumed.begun()
        for logger in trainer.loggers:
            if isinstance(logger, RunLogger):
                logger.begin()

    def summarize(self, trainer: Trainer, status: str) -> None:
        """Tell the loggers what the run came to, and where its checkpoints are; nothing of one that has not begun."""
        if not self._has_begun:
            return
        monitor, values = self.record.result["monitor"], {"status": status}
        if monitor["value"] is not None:
            values[f"best/{monitor['name']}"] = monitor["value"]
        for each in ("best", "last"):
            if (file := self.folder.checkpoints / f"{each}.ckpt").is_file():
                place = str(file.relative_to(self.folder.path))
                values |= {f"{each}_checkpoint": place, f"{each}_checkpoint_path": str(file.resolve())}
        for logger in trainer.loggers:
            if isinstance(logger, RunLogger):
                logger.log_summary(values)

    def continue_curves(self, trainer: Trainer) -> None:
        """Drop what the loggers have of a run that goes on beyond the place that it goes on from."""
        if not self.resumed or self._continued:
            return
        self._continued = True
        for logger in trainer.loggers:
            if isinstance(logger, RunLogger):
                logger.continue_from(self._logged)

    def _retune(self, trainer: Trainer, model: SupervisedModule) -> None:
        """Let optimizer and scheduler be what the config says, where that has changed since the checkpoint."""
        if self._trained_with is None:
            return
        scheduler = trainer.lr_scheduler_configs[0].scheduler if trainer.lr_scheduler_configs else None
        if self._trained_with != self._options():
            if len(trainer.optimizers) != 1:
                raise UserError("optimizer, scheduler: a model with several cannot change them while it goes on")
            retune(trainer.optimizers[0], scheduler, self._trained_with, self._options())
        if hasattr(scheduler, "total_steps"):
            check_length(scheduler, model.total_steps())

    def _options(self) -> tuple[Options, Options]:
        optimizer, scheduler = (
            flat(OmegaConf.to_container(self.config[group], resolve=True)) if self.config.get(group) else {}
            for group in ("optimizer", "scheduler")
        )
        return optimizer, scheduler

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._logged = checkpoint["resume"]["logged"] if "resume" in checkpoint else checkpoint["global_step"]

    def state_dict(self) -> dict[str, Any]:
        return {"record": self.record.state(), "options": self._options()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.record.result |= state_dict["record"]
        self._trained_with = state_dict["options"]


def said_to_differ(where: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Between what a run was made of and what this one is, said in the log; nothing where that was not kept."""
    lines = differences(before, now) if before else []
    for line in lines:
        log.warning(f"not as {where}: {line}")
    return lines


def device_names(trainer: Trainer) -> list[str]:
    if trainer.strategy.root_device.type == "cuda":
        return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return [f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"]
