"""What models that learn targets from inputs share: their steps, metrics, optimizer and scheduler."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau
from torchmetrics import Metric

from leyden.errors import UserError
from leyden.training.callbacks.hooks import PER_STEP
from leyden.training.classes import as_probabilities
from leyden.training.metrics import EpochMetrics
from leyden.training.schedulers import is_told_steps, refuse_more_steps, refuse_no_period

OptimizerFactory = Callable[..., Optimizer]  # of the parameters
SchedulerFactory = Callable[..., Any]


class SupervisedModule(LightningModule):
    """Base of models trained on batches (inputs [N, ...], targets [N, ...], ...). A subclass adds layers and `forward`.

    `loss` maps (predictions, targets) to a scalar, `metrics` are named torchmetrics of the same two. They are logged
    once an epoch as `train/loss`, `val/accuracy` and so on; those of training in the epochs that end with a validation.

    Set `make_optimizer` and `make_scheduler` to train otherwise than with Adam at a constant rate:
    `model.make_optimizer = partial(torch.optim.SGD, lr=0.1)`. They are no hyper-parameters of the model, and not saved
    as such. `plateau_metric` is what ReduceLROnPlateau watches.
    """

    def __init__(self, loss: nn.Module, metrics: Mapping[str, Metric] | None = None) -> None:
        super().__init__()
        self.loss = loss
        self.train_metrics = EpochMetrics(metrics or {})
        self.val_metrics = EpochMetrics(metrics or {})
        self.test_metrics = EpochMetrics(metrics or {})
        self.make_optimizer: OptimizerFactory = partial(torch.optim.Adam, lr=1e-3)
        self.make_scheduler: SchedulerFactory | None = None
        self.plateau_metric = "val/loss"

    def __setattr__(self, name: str, value: Any) -> None:
        """Lightning notes fifty times a step where it is; torch would look each time whether that is a parameter."""
        if (value is None or type(value) is str) and name in self.__dict__:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss, predictions = self._predict_and_compare(batch)
        if self._ends_with_validation:
            self.train_metrics.update(loss, predictions, batch[1])
        return loss

    # Lightning looks at it in every step, and Python takes 10 µs to make one.
    training_step.__signature__ = inspect.signature(training_step)  # type: ignore[attr-defined]

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.val_metrics.update(*self._predict_and_compare(batch), batch[1])

    def test_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Returns the predictions [N, ...], where callbacks are to have them."""
        loss, predictions = self._predict_and_compare(batch)
        self.test_metrics.update(loss, predictions, batch[1])
        return predictions

    def predict_step(self, batch: Any, batch_idx: int) -> Any:
        return self(batch[0] if isinstance(batch, tuple | list) else batch)

    def probabilities(self, predictions: Tensor) -> Tensor | None:
        """The probability [N, classes] of each class, by what the model predicts; None for a model without classes.

        By default what the loss and the metrics take predictions for: `leyden.training.classes`.
        """
        return as_probabilities(predictions, self.loss, self.test_metrics.metrics.values())

    def _predict_and_compare(self, batch: Any) -> tuple[Tensor, Tensor]:
        predictions = self(batch[0])
        return self.loss(predictions, batch[1]), predictions

    @property
    def _ends_with_validation(self) -> bool:
        return (self.current_epoch + 1) % (self.trainer.check_val_every_n_epoch or 1) == 0

    def on_train_epoch_end(self) -> None:
        self._log_epoch("train", self.train_metrics)

    def on_validation_epoch_end(self) -> None:
        self._log_epoch("val", self.val_metrics)

    def on_test_epoch_end(self) -> None:
        self._log_epoch("test", self.test_metrics)

    def _log_epoch(self, stage: str, metrics: EpochMetrics) -> None:
        if values := metrics.compute():
            named = {f"{stage}/{name}": value for name, value in values.items()}
            self.log_dict(named, sync_dist=self.trainer.world_size > 1)
            metrics.reset()

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Optimizer) -> None:
        for group in optimizer.param_groups:  # what optimizer.zero_grad() does, without its 20 µs of looking around
            for parameter in group["params"]:
                parameter.grad = None

    def _leave_out_idle_hooks(self) -> None:
        """Lightning takes 3 µs of every step for each hook that does nothing, and passes over one that is None."""
        clips = self._trainer is None or self.trainer.gradient_clip_val
        idle = {*PER_STEP} if clips else {*PER_STEP, "configure_gradient_clipping"}
        for name in (*PER_STEP, "configure_gradient_clipping"):
            self.__dict__.pop(name, None)  # of another training
            if name in idle and getattr(type(self), name) is getattr(LightningModule, name):
                object.__setattr__(self, name, None)

    def configure_optimizers(self) -> Any:
        self._leave_out_idle_hooks()
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = self.make_optimizer(trained, **({"fused": True} if self._can_be_fused(trained) else {}))
        if self.make_scheduler is None:
            return optimizer
        told = is_told_steps(self.make_scheduler)
        if told is not None:
            arguments = {"total_steps": self.total_steps()} if told else {}
            scheduler = self.make_scheduler(optimizer, **arguments)
            if not told and isinstance(scheduler, OneCycleLR):
                refuse_more_steps(scheduler, self.total_steps())
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
        refuse_no_period(scheduler := self.make_scheduler(optimizer))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {
                "scheduler": scheduler,
                "interval": "epoch",
                "monitor": self.plateau_metric,
                # A plateau is looked for only where there is a new value to look at.
                "frequency": (self.trainer.check_val_every_n_epoch or 1)
                if isinstance(scheduler, ReduceLROnPlateau)
                else 1,
            },
        }

    def _can_be_fused(self, parameters: Sequence[nn.Parameter]) -> bool:
        """Whether the optimizer has a step that takes all parameters in one pass, and nothing speaks against it."""
        options = inspect.signature(self.make_optimizer).parameters
        chosen = [options[name].default for name in ("fused", "foreach") if name in options]
        if "fused" not in options or chosen.count(None) < len(chosen):
            return False
        if self._trainer is None or self.device.type not in ("cpu", "cuda", "mps"):
            return False
        if not all(each.is_floating_point() for each in parameters):
            return False
        # For a fused one Lightning does not clip the gradients of mixed precision.
        return not (self.trainer.gradient_clip_val and isinstance(self.trainer.precision_plugin, MixedPrecision))

    def total_steps(self) -> int:
        """Optimizer steps of the whole training. Raises UserError where it has no end."""
        steps = self.trainer.estimated_stepping_batches
        if steps == float("inf"):
            raise UserError(
                "this scheduler must know how long training is: set trainer.max_epochs or trainer.max_steps"
            )
        return int(steps)
