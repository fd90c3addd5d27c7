"""Ends a training that is not worth going on with."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from leyden.training.callbacks.hooks import only_own_hooks


@only_own_hooks
class Prune(Callback):
    """After each validation, calls `report` with the value of the metric `monitor` and the number of epochs that it
    took, and ends the training where that says so. Of several processes the first asks, and all end together.

    `pruned` says whether it did; it is saved with every checkpoint. A metric of training, which is logged when the
    epoch is over, is seen at the validation after it.
    """

    def __init__(self, monitor: str, report: Callable[[float, int], bool]) -> None:
        self.monitor = monitor
        self.report = report
        self.pruned = False

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.pruned = False  # one that trains on is not

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or self.monitor not in trainer.callback_metrics:
            return
        value = float(trainer.callback_metrics[self.monitor])
        prune = trainer.is_global_zero and self.report(value, trainer.current_epoch + 1)
        if trainer.strategy.broadcast(prune):
            self.pruned = trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        return {"pruned": self.pruned}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.pruned = state_dict["pruned"]
