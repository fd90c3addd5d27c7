"""How far training is, in one line: a live one on a terminal, a plain one now and then where output is no terminal."""

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as LiveProgress

from leyden.training.callbacks.best import Best
from leyden.training.callbacks.hooks import only_own_hooks

log = logging.getLogger(__name__)


@only_own_hooks
class Progress(ProgressBar):
    """One line for the whole training: epoch, loss, what a callback `Best` follows, steps per second, time left.

    A terminal's line is drawn five times a second at most; elsewhere a line is logged every `plain_seconds`.
    """

    def __init__(self, plain_seconds: float = 10.0) -> None:
        super().__init__()
        self.console = Console()
        self.seconds = 0.2 if self.console.is_terminal else plain_seconds
        self._next_look = math.inf
        self._live: LiveProgress | None = None
        self._task = TaskID(0)

    def disable(self) -> None:
        """Lightning calls this on every process but the first."""
        self.seconds = math.inf

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started, self._first_step = time.monotonic(), trainer.global_step
        self._next_look = self._started + self.seconds
        if self.console.is_terminal and self.seconds < math.inf:
            self._live = LiveProgress(
                BarColumn(bar_width=20), TextColumn("{task.description}"), console=self.console, auto_refresh=False
            )
            self._task = self._live.add_task("", total=1.0)
            self._live.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + self.seconds
            loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
            # Lightning has divided it by the number of batches that gradients are accumulated over.
            shown = None if loss is None else float(loss) * trainer.accumulate_grad_batches
            self._show(trainer, shown, batch_idx, now)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._stop()

    def _stop(self) -> None:
        self._next_look = math.inf
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _show(self, trainer: Trainer, loss: float | None, batch_idx: int, now: float) -> None:
        done = _fraction_done(trainer, batch_idx)
        epochs = "" if trainer.max_epochs in (None, -1) else f"/{trainer.max_epochs}"
        parts = [f"epoch {trainer.current_epoch + 1}{epochs}"]
        if loss is not None:
            parts.append(f"loss {loss:.4g}")
        for best in (callback for callback in trainer.callbacks if isinstance(callback, Best)):  # type: ignore[attr-defined]
            if best.value is not None and best.monitor in trainer.callback_metrics:
                value = float(trainer.callback_metrics[best.monitor])
                parts.append(f"{best.monitor} {value:.4g} (best {best.value:.4g})")
        speed = (trainer.global_step - self._first_step) / (now - self._started)
        parts.append(f"{speed:,.0f} steps/s" if speed >= 10 else f"{speed:.2g} steps/s")
        if done:
            left = round((now - self._started) * (1 - done) / done)
            parts.append(f"{left // 60}:{left % 60:02d} left")
        line = ", ".join(parts)
        if self._live is None:
            log.info(line)
        else:
            self._live.update(self._task, completed=done or 0.0, description=line, refresh=True)


def _fraction_done(trainer: Trainer, batch_idx: int) -> float | None:
    """Between 0 and 1; None where training has no end."""
    if trainer.max_steps > 0:
        return min(1.0, trainer.global_step / trainer.max_steps)
    if not trainer.max_epochs or trainer.max_epochs < 0:
        return None
    return min(1.0, (trainer.current_epoch + (batch_idx + 1) / trainer.num_training_batches) / trainer.max_epochs)
