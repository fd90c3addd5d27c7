"""A module whose members are copies of one model, each with weights of its own."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torchmetrics import MeanMetric, Metric

from leyden.errors import UserError
from leyden.training.metrics import EpochMetrics
from leyden.training.population.metrics import PopulationMetrics
from leyden.training.population.refusals import (
    TESTS,
    overridden,
    refuse_model,
    refuse_optimizer,
    said_in_one_line,
)
from leyden.training.supervised import SupervisedModule

Range = Sequence[float]
Batch = tuple[Tensor, ...]

VIEWS = (torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default, torch.ops.aten.expand.default)


class Population(SupervisedModule):
    """Trains K members, models of one architecture, at once, each as it would be trained alone.

    `weights` [K, P] are all parameters of each. Batches are (inputs [B, K, ...], targets [B, K, ...], ...): the samples
    of each member are its own; `batch` and `losses` [K] are those of the step that is being taken. Logs means over the
    members; `values` holds what each came to: a metric [K] by its name, from the last epoch that measured it.

    What a batch goes through is recorded once, for each shape of batches, as the plain operations that it comes to
    (`make_fx`): `vmap` itself takes twice as long as those.

    A member succeeds whose metrics are all in the ranges `expected`; the share that does is logged in the test as
    `test/success_rate`, with the bounds of its 95 % interval.

    Raises UserError for a model that cannot be trained so (see `refuse_model`).
    """

    def __init__(self, members: Iterable[SupervisedModule], expected: Mapping[str, Range] | None = None) -> None:
        members = iter(members)
        first = next(members)
        refuse_model(first)
        super().__init__(first.loss)
        metrics: Any = first.val_metrics.metrics
        self.train_metrics, self.val_metrics, self.test_metrics = (PopulationMetrics(metrics) for _ in range(3))
        self._model = (first,)  # in a tuple, its parameters are not this module's
        self._names = [name for name, _ in first.named_parameters()]
        self._shapes = [parameter.shape for parameter in first.parameters()]
        self.weights = nn.Parameter(torch.stack([self._flat(first), *map(self._flat, members)]))
        self.make_optimizer, self.make_scheduler = first.make_optimizer, first.make_scheduler
        self.expected = dict(expected or {})
        self.values: dict[str, Tensor] = {}
        self.batch: Batch = ()
        self.losses = torch.empty(0)
        self._recorded: dict[Any, Any] = {}

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def model(self) -> SupervisedModule:
        """The one model whose weights are now those of one member, now those of another."""
        return self._model[0]

    def member(self, index: int, weights: Tensor | None = None) -> SupervisedModule:
        """The model with that member's weights, those now or others [K, P], on their device and in their precision."""
        own = (self.weights.detach() if weights is None else weights)[index]
        self.model.to(own.device).type(own.dtype)
        nn.utils.vector_to_parameters(own.clone(), self.model.parameters())
        return self.model

    def _flat(self, member: SupervisedModule) -> Tensor:
        if [parameter.shape for parameter in member.parameters()] != self._shapes:
            raise UserError("population: the members differ in their parameters, and cannot be stacked")
        return nn.utils.parameters_to_vector(member.parameters()).detach()

    def _compare_one(self, weights: Tensor, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        parts = torch.split(weights, [shape.numel() for shape in self._shapes])
        named = {name: part.view(shape) for name, part, shape in zip(self._names, parts, self._shapes, strict=True)}
        predictions = functional_call(self.model, named, (inputs,))
        return self.loss(predictions, targets), predictions

    def _predict_and_compare(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Losses [K] and predictions [B, K, ...]."""
        tensors = self.weights, batch[0], batch[1]
        kind = (self.training, *((each.shape, each.dtype) for each in tensors))
        if kind not in self._recorded:
            self.model.train(self.training)
            with said_in_one_line(self.model):
                self._recorded[kind] = _recorded(
                    vmap(self._compare_one, in_dims=(0, 1, 1), out_dims=(0, 1)), [each.detach() for each in tensors]
                )
        losses, predictions = self._recorded[kind](*tensors)
        return losses, predictions

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self.batch = batch
        self.losses, predictions = self._predict_and_compare(batch)
        if self._ends_with_validation:
            self.train_metrics.update(self.losses, predictions, batch[1])
        return self.losses.mean()

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Each member by its own loss: that of their mean would be smaller by as many as they are."""
        self.losses.sum().backward()  # type: ignore[no-untyped-call]

    def configure_optimizers(self) -> Any:
        optimizers = super().configure_optimizers()
        refuse_optimizer(optimizers)
        return optimizers

    def _log_epoch(self, stage: str, metrics: EpochMetrics) -> None:
        self._tell({f"{stage}/{name}": value for name, value in metrics.compute().items()})
        metrics.reset()

    def _tell(self, values: Mapping[str, Tensor]) -> None:
        if not self.trainer.sanity_checking:
            self.values |= values
        self.log_dict({name: value.mean() for name, value in values.items()})

    def on_test_start(self) -> None:
        self._own_test = bool(overridden(self.model, SupervisedModule) & set(TESTS))
        self._batches: list[Batch] = []

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Where the test is the model's own, each member goes through it alone, at the end."""
        if self._own_test:
            self._batches.append(batch)
        else:
            super().test_step(batch, batch_idx)

    def on_test_epoch_end(self) -> None:
        if self._own_test:
            tested = [self._tested_alone(index) for index in range(len(self))]
            self._tell({name: torch.stack([values[name] for values in tested]) for name in tested[0]})
        else:
            super().on_test_epoch_end()
        if self.expected:
            succeeded = int(self.succeeded().sum())
            low, high = wilson_interval(succeeded, len(self))
            rate = succeeded / len(self)
            self.log_dict({"test/success_rate": rate, "test/success_rate_low": low, "test/success_rate_high": high})

    def _tested_alone(self, index: int) -> dict[str, Tensor]:
        model, record = self.member(index).eval(), _Recorder()
        model.trainer = self.trainer
        model.log = record  # type: ignore[method-assign]
        for batch_idx, batch in enumerate(self._batches):
            own = tuple(tensor[:, index] for tensor in batch)
            record.samples = len(own[0])
            model.test_step(own, batch_idx)
        model.on_test_epoch_end()
        return record.values()

    def succeeded(self) -> Tensor:
        """Whether each member [K] reached all that is expected."""
        reached = torch.ones(len(self), dtype=torch.bool, device=self.device)
        for name, (low, high) in self.expected.items():
            value = self.values.get(name, torch.tensor(torch.nan, device=self.device))
            reached &= (low <= value) & (value <= high)
        return reached

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["population"] = self.values

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.values = {name: value.to(self.device) for name, value in checkpoint["population"].items()}


def _recorded(function: Any, tensors: Sequence[Tensor]) -> Any:
    """The operations of `function`, but for those that let the shape of their input be as it is."""
    module = make_fx(lambda *each: function(*each))(*tensors)
    for node in module.graph.nodes:
        if node.target in VIEWS and node.meta["tensor_meta"].shape == node.args[0].meta["tensor_meta"].shape:
            node.replace_all_uses_with(node.args[0])
    module.graph.eliminate_dead_code()
    module.recompile()
    return module.forward


class _Recorder:
    """Stands in for a model's `log`: keeps its metrics, and the means over samples of its numbers."""

    def __init__(self) -> None:
        self.logged: dict[str, Metric] = {}
        self.samples = 1

    def __call__(self, name: str, value: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(value, Metric):
            self.logged[name] = value
        else:
            mean = self.logged.setdefault(name, MeanMetric(nan_strategy="disable"))
            mean.update(torch.as_tensor(value).cpu(), self.samples)

    def values(self) -> dict[str, Tensor]:
        values = {name: metric.compute() for name, metric in self.logged.items()}
        for metric in self.logged.values():
            metric.reset()
        return values


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The bounds of a success rate (Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953)."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre, spread = successes + z**2 / 2, z * (successes * (1 - successes / trials) + z**2 / 4) ** 0.5
    return (centre - spread) / (trials + z**2), (centre + spread) / (trials + z**2)
