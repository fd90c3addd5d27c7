"""How far training is, in one line: a live one on a terminal, a plain one now and then where output is no terminal."""

import logging
import math
import sys
import time
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.trainer.states import TrainerFn
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as LiveProgress

from leyden.training.callbacks.best import Best
from leyden.training.callbacks.hooks import only_own_hooks

log = logging.getLogger(__name__)

BAR = 20
WITH_BAR = 100  # columns of a terminal that has room for one
WIDE = 130  # and for the line in its long form
SHORTEST_NAME = 8


@only_own_hooks
class Progress(ProgressBar):
    """One line for the whole training: epoch, loss, what a callback `Best` follows, steps per second, time left.

    Validations and tests say in it how far they are. A terminal's line is drawn five times a second at most, never
    wider than the terminal, and gone at the end; elsewhere a line is logged every `plain_seconds`.
    """

    def __init__(self, plain_seconds: float = 10.0) -> None:
        super().__init__()
        self.console = Console()
        # FORCE_COLOR makes Rich take any output for a terminal.
        self.is_live = self.console.is_interactive and self.console.file.isatty()
        self.seconds = 0.2 if self.is_live else plain_seconds
        self._next_look = math.inf
        self._loss: float | None = None
        self._live: LiveProgress | None = None
        self._task = TaskID(0)
        self._through_live: list[logging.StreamHandler[Any]] = []

    def disable(self) -> None:
        """Lightning calls this on every process but the first."""
        self.seconds = math.inf

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.VALIDATING:  # and not within a training
            self._begin(trainer)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin(trainer)

    def _on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + self.seconds
        if trainer.training:
            self._show(self._of_training_batch(trainer, now, outputs, batch_idx + 1))
        elif trainer.testing:
            self._show(self._of_test(now, batch_idx + 1, trainer.num_test_batches[dataloader_idx]))
        else:
            doing = f"validation {_of(batch_idx + 1, trainer.num_val_batches[dataloader_idx])}"
            alone = trainer.state.fn == TrainerFn.VALIDATING
            self._show([doing] if alone else self._of_training(trainer, now, doing))

    on_train_batch_end = on_validation_batch_end = on_test_batch_end = _on_batch_end

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._end()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._end()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._end()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._end()

    def _begin(self, trainer: Trainer) -> None:
        self._started, self._first_step = time.monotonic(), trainer.global_step
        self._next_look = self._started + self.seconds
        self._done = self._done_before = _fraction_done(trainer, 0.0) if trainer.training else 0.0

    def _start_live(self) -> LiveProgress:
        bar = [BarColumn(bar_width=BAR)] if self.console.width >= WITH_BAR else []
        text = TextColumn("{task.description}", markup=False)
        live = LiveProgress(*bar, text, console=self.console, auto_refresh=False, transient=True)
        self._task = live.add_task("", total=1.0)
        stdout = sys.stdout
        live.start()  # what is printed comes above the line from now on, and what is logged shall, too
        handlers = [each for each in logging.getLogger().handlers if isinstance(each, logging.StreamHandler)]
        self._through_live = [each for each in handlers if each.stream is stdout]
        for handler in self._through_live:
            handler.setStream(sys.stdout)
        return live

    def _end(self) -> None:
        self._next_look = math.inf
        if self._live is not None:
            self._live.stop()
            self._live = None
            for handler in self._through_live:
                handler.setStream(sys.stdout)

    def _of_training_batch(self, trainer: Trainer, now: float, outputs: Any, number: int) -> list[str]:
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        # Lightning has divided it by the number of batches that gradients are accumulated over.
        self._loss = None if loss is None else float(loss) * trainer.accumulate_grad_batches
        self._done = _fraction_done(trainer, number / trainer.num_training_batches)
        return self._of_training(trainer, now)

    def _of_test(self, now: float, number: int, total: float) -> list[str]:
        self._done = number / total
        return [f"test {_of(number, total)}", *self._left(now)]

    def _of_training(self, trainer: Trainer, now: float, doing: str = "") -> list[str]:
        """The parts of the line, in fewer letters on a narrow terminal."""
        narrow = self.is_live and self.console.width < WIDE
        digits = 3 if narrow else 4
        parts = [_place(trainer)]
        if doing or self._loss is not None:
            parts.append(doing or f"loss {self._loss:.{digits}g}")
        for best in (callback for callback in trainer.callbacks if isinstance(callback, Best)):  # type: ignore[attr-defined]
            if best.value is not None and best.monitor in trainer.callback_metrics:
                value = f"{best.monitor} {float(trainer.callback_metrics[best.monitor]):.{digits}g}"
                so_far = f"best {best.value:.{digits}g}"
                parts.append(f"{value} {so_far}" if narrow else f"{value} ({so_far})")
        speed = (trainer.global_step - self._first_step) / (now - self._started)
        shown = f"{speed:,.0f}" if speed >= 10 else f"{speed:.2g}"
        return [*parts, f"{shown}/s" if narrow else f"{shown} steps/s", *self._left(now)]

    def _left(self, now: float) -> list[str]:
        """How long it takes still, if it goes on as since it began; nothing where that is not known."""
        if self._done is None or self._done_before is None or self._done <= self._done_before:
            return []
        left = round((now - self._started) * (1 - self._done) / (self._done - self._done_before))
        hours, minutes, seconds = left // 3600, left // 60 % 60, left % 60
        return [f"{hours}:{minutes:02d}:{seconds:02d} left" if hours else f"{minutes}:{seconds:02d} left"]

    def _show(self, parts: list[str]) -> None:
        line = ", ".join(parts)
        if not self.is_live:
            log.info(line)
            return
        width = self.console.width
        if width < WIDE:
            line = _fitted(parts, width - (BAR + 1 if width >= WITH_BAR else 0))
        self._live = self._live or self._start_live()
        self._live.update(self._task, completed=self._done or 0.0, description=line, refresh=True)


def _fitted(parts: list[str], room: int) -> str:
    """The parts in a line of at most `room` letters, with names of metrics cut short where it takes that."""
    line = "  ".join(parts)
    if len(line) > room:
        line = " ".join(parts)
    for name in [word for part in parts for word in part.split() if "/" in word and word[0].isalpha()]:
        if (over := len(line) - room) > 0:
            line = line.replace(name, f"{name[: max(SHORTEST_NAME, len(name) - over - 2)]}..", 1)
    return line[:room]


def _place(trainer: Trainer) -> str:
    """The step where their number ends the training, or else the epoch."""
    if trainer.max_steps > 0:
        return f"step {_of(trainer.global_step, trainer.max_steps)}"
    if trainer.max_epochs in (None, -1):
        return f"epoch {trainer.current_epoch + 1}"
    return f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"


def _of(number: int, total: float) -> str:
    return f"{number:,}/{total:,}" if total < math.inf else f"{number:,}"


def _fraction_done(trainer: Trainer, of_epoch: float) -> float | None:
    """Between 0 and 1; None where training has no end."""
    done = []
    if trainer.max_steps > 0:
        done.append(trainer.global_step / trainer.max_steps)
    if trainer.max_epochs and trainer.max_epochs > 0:
        done.append((trainer.current_epoch + of_epoch) / trainer.max_epochs)
    return min(1.0, max(done)) if done else None
