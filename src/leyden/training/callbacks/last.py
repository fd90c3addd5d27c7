"""The checkpoint that training goes on from, and when training stops because it is told to."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch.utils._pytree import tree_leaves

from leyden.files import sync_folder
from leyden.signals import Stop, told_to_stop
from leyden.training.callbacks.hooks import only_own_hooks
from leyden.training.exact import process_state, restore_process_state
from leyden.training.loggers import CSVLogger

VALIDATION_SECONDS = 5.0  # how long one that has begun may go on when the process is told to stop


@only_own_hooks
class LastCheckpoint(Checkpoint):
    """Keeps `last.ckpt` in `dirpath`, and the one before it as `previous.ckpt`. A training that goes on from there ends
    with the same weights and the same curves, to the last bit, as one that was never stopped.

    Saves after `every_n_steps` optimizer steps, or `every_n_minutes` (but so rarely that it takes no more than 2 % of
    the time), and at the end of training. A save in the middle of an epoch takes effect as the next batch begins, when
    the loggers have all that belongs to the steps before, and have written it. A loader that does not know its place
    (it has no `state_dict`) is saved between epochs.

    Told to stop (SIGINT, SIGTERM, under SLURM SIGUSR1), it saves after the batch that is being trained, and raises
    `Stop`; told twice, at once. A validation that has begun is waited for, for 5 s: what follows the last save is lost
    where it takes longer. Under several processes one tells all.
    """

    def __init__(
        self,
        dirpath: str | os.PathLike[str],
        every_n_steps: int | None = None,
        every_n_minutes: float | None = 1.0,
    ) -> None:
        super().__init__()
        self.folder = Path(dirpath)
        self.every_n_steps = every_n_steps or math.inf
        self.every_seconds = math.inf if every_n_minutes is None else 60 * every_n_minutes
        self._told: int | None = None
        self._told_at = 0.0
        self._handlers = ExitStack()
        self._resume: Mapping[str, Any] | None = None  # what a checkpoint said of this
        self._places: Sequence[Any] = ()  # where it said the loaders were
        self._between_epochs = False
        self._written = False  # a save is waiting for the next batch to begin
        self._step = self._saved_step = 0
        self._next_save = math.inf
        self._speaks = True

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.folder = trainer.strategy.broadcast(self.folder)  # only the first process knows the run folder

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        states = self._resume["processes"] if self._resume else []
        if len(states) == trainer.world_size:
            restore_process_state(states[trainer.global_rank], pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._speaks = trainer.is_global_zero
        self._handlers.enter_context(told_to_stop(self._tell))
        # Lightning 2.6 forgets where loaders were if a scheduler has asked for the number of steps.
        for loader, state in zip(_loaders(trainer), self._places, strict=False):
            loader.load_state_dict(state)
        if self._resume and self._resume["between_epochs"]:
            trainer.fit_loop.epoch_loop.restarting = False  # else it would end the next epoch as it begins
        self._step = self._saved_step = trainer.global_step
        self._next_save = time.monotonic() + self.every_seconds

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        accumulates, self._step = trainer.global_step == self._step, trainer.global_step
        if accumulates or _ends_here(trainer, batch_idx):
            return
        told = self._told is not None
        if _any_process(trainer, told or (self._is_due() and len(_loaders(trainer)) > 0)):
            self._write(trainer)
            self._written = True

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if self._written:
            self._take_effect(trainer)
            self._stop_if_told(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._written = False  # the epoch ended before its next batch
        if trainer.global_step > self._saved_step and _any_process(trainer, self._told is not None or self._is_due()):
            self._save_between_epochs(trainer)
        self._stop_if_told(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.fit_loop._restarting = False  # else ReduceLROnPlateau would not see the epoch that was resumed

    def on_validation_batch_end(self, trainer: Trainer, *args: Any) -> None:
        if self._told is not None and trainer.world_size == 1 and time.monotonic() > self._told_at + VALIDATION_SECONDS:
            raise Stop(self._told)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step > 0:
            self._save_between_epochs(trainer)
        self._stop_if_told(trainer)
        self._handlers.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._handlers.close()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        states: list[Any] = [process_state(pl_module)]
        if trainer.world_size > 1:
            states = [None] * trainer.world_size
            torch.distributed.all_gather_object(states, process_state(pl_module))
        checkpoint["resume"] = {
            "processes": states,
            "between_epochs": self._between_epochs,
            "stopped_early": trainer.should_stop,
            "limits": _limits(trainer),
        }
        if self._between_epochs:
            for progress in checkpoint["loops"]["fit_loop"]["epoch_progress"].values():
                progress["ready"] = progress["completed"]  # the next epoch may have been announced, but nothing is done

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if "resume" not in checkpoint:
            return
        self._resume = checkpoint["resume"]
        self._places = checkpoint["loops"]["fit_loop"]["state_dict"].get("combined_loader", ())
        if self._resume["stopped_early"] and self._resume["limits"] == _limits(trainer):
            trainer.should_stop = True  # EarlyStopping has said so, and nobody asks for more

    def _tell(self, number: int) -> None:
        if self._told is not None:
            raise Stop(number)
        self._told, self._told_at = number, time.monotonic()
        if self._speaks:  # in a signal handler nothing may be buffered
            os.write(2, b"saving after this batch; once more stops at once\n")

    def _stop_if_told(self, trainer: Trainer) -> None:
        if _any_process(trainer, self._told is not None):
            raise Stop(self._told or 15)

    def _is_due(self) -> bool:
        return self._step - self._saved_step >= self.every_n_steps or time.monotonic() >= self._next_save

    def _save_between_epochs(self, trainer: Trainer) -> None:
        self._between_epochs = True
        self._write(trainer)
        self._between_epochs = False
        self._take_effect(trainer)

    def _write(self, trainer: Trainer) -> None:
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        started = time.monotonic()
        trainer.save_checkpoint(self.folder / "next.ckpt")
        took = time.monotonic() - started
        self._saved_step, self._next_save = trainer.global_step, started + max(self.every_seconds, 50 * took)

    def _take_effect(self, trainer: Trainer) -> None:
        """From here on the checkpoint that was written is the last one."""
        self._written = False
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        for logger in trainer.loggers:
            logger.flush(before=trainer.global_step) if isinstance(logger, CSVLogger) else logger.save()
        new, last, previous = (self.folder / f"{name}.ckpt" for name in ("next", "last", "previous"))
        if last.exists():
            _keep(last, previous)
        new.replace(last)
        sync_folder(self.folder)


def _keep(file: Path, name: Path) -> None:
    """Let the file be there under another name too, without an instant in which it is under neither."""
    link = name.with_name(f".{name.name}.partial")
    link.unlink(missing_ok=True)
    try:
        os.link(file, link)
    except OSError:  # a file system without links
        file.replace(name)
    else:
        link.replace(name)


def _ends_here(trainer: Trainer, batch_idx: int) -> bool:
    """Whether a validation or the end of the epoch follows this batch: Lightning does not go on from there exactly."""
    every = trainer.val_check_batch
    validates = isinstance(every, int) and any(
        (index + 1) % every == 0 for index in (batch_idx, trainer.fit_loop.total_batch_idx)
    )
    return trainer.is_last_batch or validates or trainer.global_step == trainer.max_steps


def _loaders(trainer: Trainer) -> list[Any]:
    """The training loaders, where all of them know their place."""
    loaders = tree_leaves(trainer.train_dataloader)
    return loaders if all(hasattr(loader, "load_state_dict") for loader in loaders) else []


def _any_process(trainer: Trainer, decision: bool) -> bool:
    """Every process must ask at the same moment."""
    return decision if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(decision, all=False)


def _limits(trainer: Trainer) -> list[int | None]:
    return [trainer.max_epochs, trainer.max_steps]
