"""The best value of the monitored metric, and the checkpoint of the epoch that reached it."""

import math
import os
from pathlib import Path
from typing import Any, Literal, get_args

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from leyden.errors import UserError
from leyden.training.callbacks.hooks import only_own_hooks

Mode = Literal["min", "max"]


@only_own_hooks
class Best(Checkpoint):
    """Follows the metric `monitor`, of which the smallest (`mode` min) or largest (max) value is the best.

    `value` is None until the metric is logged; it is saved with every checkpoint. Raises UserError for another mode.
    """

    def __init__(self, monitor: str, mode: Mode = "min") -> None:
        if mode not in get_args(Mode):
            raise UserError(f"mode={mode}: must be min or max")
        self.monitor = monitor
        self.mode = mode
        self.value: float | None = None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._look(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._look(trainer)  # for a metric of training

    def _look(self, trainer: Trainer) -> None:
        value = float(trainer.callback_metrics.get(self.monitor, math.nan))
        better = not math.isnan(value) and (self.value is None or self._is_better(value))
        if trainer.world_size > 1:  # each may have logged another value: they must save together or not at all
            better = trainer.strategy.reduce_boolean_decision(better)
        if better:
            self.value = value
            self.improved(trainer)

    def _is_better(self, value: float) -> bool:
        assert self.value is not None
        return value < self.value if self.mode == "min" else value > self.value

    def improved(self, trainer: Trainer) -> None:
        """To override: what to do when there is a new best value."""

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.value = state_dict["value"]


class BestCheckpoint(Best):
    """Keeps `best.ckpt` in `dirpath`: the weights with the best value, without the state of the optimizer."""

    def __init__(self, dirpath: str | os.PathLike[str], monitor: str, mode: Mode = "min") -> None:
        super().__init__(monitor, mode)
        self.file = Path(dirpath) / "best.ckpt"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.file = trainer.strategy.broadcast(self.file)  # only the first process knows the run folder

    def improved(self, trainer: Trainer) -> None:
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]
            trainer.save_checkpoint(self.file, weights_only=True)
