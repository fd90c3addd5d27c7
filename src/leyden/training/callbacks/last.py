"""The checkpoint that training goes on from, and when training stops because it is told to."""

import math
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping
from torch.utils._pytree import tree_leaves

from leyden.files import sync
from leyden.signals import Stop, told_to_stop
from leyden.training.callbacks.hooks import only_own_hooks
from leyden.training.exact import process_state, restore_process_state
from leyden.training.loggers import RunLogger

VALIDATION_SECONDS = 5.0  # how long one that has begun may go on when the process is told to stop
ONE_SIGNAL = 0.05  # seconds in which a second one is the same: `timeout` sends it to a process and to its group
WIPED = b"\r\x1b[2K"  # to the start of the line, which is erased


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

    Raises ValueError for a number that is not above 0.
    """

    def __init__(
        self,
        dirpath: str | os.PathLike[str],
        every_n_steps: int | None = None,
        every_n_minutes: float | None = 1.0,
    ) -> None:
        super().__init__()
        for name, number, kind in (("steps", every_n_steps, int), ("minutes", every_n_minutes, int | float)):
            if number is not None and not (isinstance(number, kind) and number > 0):
                whole = "whole number" if kind is int else "number"
                raise ValueError(f"every_n_{name} must be a {whole} above 0, or null: not {number}")
        self.folder = Path(dirpath)
        self.every_n_steps = every_n_steps or math.inf
        self.every_seconds = 60 * (every_n_minutes or math.inf)
        self._told = 0  # the number of the signal
        self._told_at = 0.0
        self._handlers = ExitStack()
        self._resume: Mapping[str, Any] | None = None  # what a checkpoint said of this
        self._between_epochs = False
        self._written = False  # a save is waiting for the next batch to begin
        self._step = self._saved_step = self._logged = 0
        self._next_save = math.inf
        self._speaks = True

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.folder = trainer.strategy.broadcast(self.folder)  # only the first process knows the run folder

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        states = self._resume["processes"] if self._resume else []
        if len(states) == trainer.world_size:
            restore_process_state(states[trainer.global_rank], pl_module)
        if self._resume:
            # Where a scheduler has asked for the number of steps, Lightning has set the loaders up too early: without
            # their place and with other random numbers. Now it does so again.
            trainer.fit_loop._combined_loader = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._speaks = trainer.is_global_zero
        self._handlers.enter_context(told_to_stop(self._tell))
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
        if _highest(trainer, self._told or (self._is_due() and _know_their_place(trainer))):
            self._write(trainer)
            self._written = True

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if self._written:
            self._take_effect(trainer)
            self._stop_if_told(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._written = False  # the epoch ended before its next batch
        if trainer.global_step > self._saved_step and _highest(trainer, self._told or self._is_due()):
            self._save_between_epochs(trainer)
        self._stop_if_told(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.fit_loop._restarting = False  # else ReduceLROnPlateau would not see the epoch that was resumed

    def on_validation_batch_end(self, trainer: Trainer, *args: Any) -> None:
        if self._told and trainer.world_size == 1 and time.monotonic() > self._told_at + VALIDATION_SECONDS:
            raise Stop(self._told)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step > 0:
            self._save_between_epochs(trainer)
        self._handlers.close()
        self._stop_if_told(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._handlers.close()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        states: list[Any] = [process_state(pl_module)]
        if trainer.world_size > 1:
            states = [None] * trainer.world_size
            torch.distributed.all_gather_object(states, process_state(pl_module))
        # Loggers count batches with an optimizer step; global_step counts each step of several optimizers.
        self._logged = checkpoint["loops"]["fit_loop"]["epoch_loop.state_dict"]["_batches_that_stepped"]
        self._logged += not self._between_epochs
        checkpoint["resume"] = {
            "processes": states,
            "logged": self._logged,
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
        if self._resume["stopped_early"] and self._resume["limits"] == _limits(trainer):
            trainer.should_stop = True  # EarlyStopping has said so, and nobody asks for more

    def _tell(self, number: int) -> None:
        now = time.monotonic()
        if self._told:
            if now > self._told_at + ONE_SIGNAL:
                raise Stop(number)
            return
        self._told, self._told_at = number, now
        if self._speaks:
            with suppress(OSError):  # who reads it may have been told to stop, too
                # Unbuffered: this is a handler. What stands there on a terminal, the live line, is wiped away.
                os.write(2, (WIPED if os.isatty(2) else b"") + b"saving after this batch; once more stops at once\n")

    def _stop_if_told(self, trainer: Trainer) -> None:
        if told := _highest(trainer, self._told):
            raise Stop(told)

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
            if isinstance(logger, RunLogger):
                logger.flush(before=self._logged)
            else:
                logger.save()
        new, last, previous = (self.folder / f"{name}.ckpt" for name in ("next", "last", "previous"))
        if last.exists():
            _keep(last, previous)
        new.replace(last)
        sync(self.folder)


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


def _know_their_place(trainer: Trainer) -> bool:
    """Whether all training loaders can be saved in the middle of an epoch."""
    return all(hasattr(loader, "load_state_dict") for loader in tree_leaves(trainer.train_dataloader))


def _highest(trainer: Trainer, number: int) -> int:
    """Of all processes, which must ask at the same moment: 0 where each says no."""
    if trainer.world_size == 1:
        return number
    return int(trainer.strategy.reduce(torch.tensor(int(number), device=trainer.strategy.root_device), reduce_op="max"))


def _limits(trainer: Trainer) -> list[Any]:
    """What ends a training: one that stopped early is not trained on while these are as they were."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    patience = [[each.patience, each.min_delta] for each in callbacks if isinstance(each, EarlyStopping)]
    return [trainer.max_epochs, trainer.max_steps, *patience]
