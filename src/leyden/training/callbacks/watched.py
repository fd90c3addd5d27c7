"""A metric that is watched, and that nobody logs."""

import logging

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from leyden.errors import UserError
from leyden.training.callbacks.hooks import only_own_hooks
from leyden.training.logged import could_log, no_such_metric

log = logging.getLogger(__name__)


@only_own_hooks
class Watched(Checkpoint):  # which makes it one of those that see what the model logs at the end of its epoch
    """Raises UserError where the first epoch with a validation ends without the metric `monitor`.

    Where model or callbacks may log it in a later epoch, it is only said at the end of the training.
    """

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor
        self._validated = False
        self._later: bool | None = None  # whether it may still come; None: not looked at yet

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validated |= not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._validated or self._later is not None:
            return
        there = self.monitor in trainer.callback_metrics
        self._later = not there and could_log(pl_module, trainer.callbacks, self.monitor)  # type: ignore[attr-defined]
        if not there and not self._later:
            raise UserError(self._said(trainer, pl_module))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._later and self.monitor not in trainer.callback_metrics:
            log.warning(self._said(trainer, pl_module))

    def _said(self, trainer: Trainer, model: LightningModule) -> str:
        return f"monitor.metric={self.monitor}: {no_such_metric(model, self.monitor, trainer.callback_metrics)}"
