"""The best value of the monitored metric so far."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class Best(Callback):
    """Follows the metric `monitor`, of which the smallest (`mode` min) or largest (max) value is the best.

    `value` is None until the metric is logged. It is saved with every checkpoint.
    """

    def __init__(self, monitor: str, mode: str = "min") -> None:
        self.monitor = monitor
        self.better = min if mode == "min" else max
        self.value: float | None = None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._look(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._look(trainer)

    def _look(self, trainer: Trainer) -> None:
        if self.monitor in trainer.callback_metrics:
            value = float(trainer.callback_metrics[self.monitor])
            self.value = value if self.value is None else self.better(self.value, value)

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.value = state_dict["value"]
