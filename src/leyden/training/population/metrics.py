"""The loss and the metrics of every member, computed for all at once."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import get_unwrapped, is_batchedtensor
from torch.overrides import TorchFunctionMode
from torchmetrics import Metric

from leyden.training.metrics import EpochMetrics


class PopulationMetrics(EpochMetrics):
    """As EpochMetrics, with losses [K] and predictions and targets [B, K, ...] of the K members: each value is [K].

    Keeps all batches of an epoch.
    """

    def _fold(self) -> None:
        """Nothing is passed on before the end of the epoch."""

    def reset(self) -> None:
        self._kept, self._numbers = [], 0

    def compute(self) -> dict[str, Tensor]:
        if not (kept := self.kept()):
            return {}
        losses, predictions, targets, samples = kept
        weights = samples.to(losses).unsqueeze(1)
        values = {"loss": (losses * weights).sum(0) / weights.sum()}
        for name, metric in self.metrics.items():
            assert isinstance(metric, Metric)
            values[name] = of_each(metric, predictions, targets)
        return values


def of_each(metric: Metric, predictions: Tensor, targets: Tensor) -> Tensor:
    """The metric [K] of predictions and targets [N, K, ...]. One that cannot be batched is asked member by member."""
    metric.reset()
    states = {name: _repeated(value, predictions.shape[1]) for name, value in metric.metric_state.items()}
    try:
        with Unanimous():
            return torch.vmap(_value, in_dims=(None, 0, 1, 1))(metric, states, predictions, targets)
    except RuntimeError:
        pairs = zip(predictions.unbind(1), targets.unbind(1), strict=True)
        return torch.stack([_value(metric, {}, *pair) for pair in pairs])
    finally:
        metric.reset()


def _repeated(state: Any, members: int) -> Any:
    return state.expand(members, *state.shape).clone() if isinstance(state, Tensor) else state


def _value(metric: Metric, state: Mapping[str, Any], predictions: Tensor, targets: Tensor) -> Tensor:
    metric.reset()
    for name, part in state.items():
        setattr(metric, name, part)
    metric.update(predictions, targets)
    value: Tensor = metric.compute()
    return value


class Unanimous(TorchFunctionMode):
    """Lets `if tensor:` be asked under `vmap` where all members answer alike; else it raises RuntimeError as ever.

    Metrics ask so whether predictions are probabilities.
    """

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is Tensor.__bool__ and is_batchedtensor(args[0]):
            answers = get_unwrapped(args[0])
            if bool(answers.all()) == bool(answers.any()):
                return bool(answers.all())
        return function(*args, **(kwargs or {}))
