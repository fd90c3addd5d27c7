"""Whether a model, its data and what is watched agree, found out without training.

Only what is known for certain is said. A model with steps of its own, data that is not in memory, and layers that are
made late are taken for right.
"""

import copy
import re
from collections.abc import Iterable, Sequence, Sized
from typing import Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from leyden.training.exact import looking
from leyden.training.logged import logged_by, no_such_metric
from leyden.training.supervised import SupervisedModule
from leyden.training.tensor_data import TensorDataModule

ELEMENTWISE = (
    nn.MSELoss,
    nn.L1Loss,
    nn.SmoothL1Loss,
    nn.HuberLoss,
    nn.BCELoss,
    nn.BCEWithLogitsLoss,
    nn.PoissonNLLLoss,
)
OF_SHAPES = re.compile("shape|size|dimension|channel|target", re.IGNORECASE)
OWN_STEPS = ("validation_step", "_predict_and_compare", "setup", "configure_model")
OWN_BATCHES = ("on_before_batch_transfer", "on_after_batch_transfer")


def disagreements(model: LightningModule, data: LightningDataModule) -> list[str]:
    """What would go wrong in the first steps, by a pass of two samples; `data` is set up, both are on the CPU.

    Takes no random number, and leaves the model as it was.
    """
    if isinstance(data, TensorDataModule) and data.splits and not len(data.splits.train[0]):
        return [f"data ({type(data).__name__}): there is no training batch (train has 0 samples)"]
    if not (isinstance(model, SupervisedModule) and isinstance(data, TensorDataModule) and data.splits):
        return []
    if _has_own(model, SupervisedModule, OWN_STEPS) or _has_own(data, TensorDataModule, OWN_BATCHES):
        return []
    if any(isinstance(parameter, nn.UninitializedParameter) for parameter in model.parameters()):
        return []
    inputs, targets = (tensor[:2] for tensor in data.splits.train[:2])
    inputs = inputs if data.normalize is None else data.normalize(inputs)
    names = f"model ({type(model).__name__}) and data ({type(data).__name__}) do not fit"
    predictions: Any = None
    with looking(model):
        try:
            predictions = model.forward(inputs)
            said = _more_classes(model, data, predictions) or _broadcast(model, predictions, targets)
            if said:
                return [f"{names}: {said}"]
            model.loss(predictions, targets)
        except (RuntimeError, ValueError, IndexError) as error:
            if not OF_SHAPES.search(str(error)):
                return []  # a layer that is made for GPUs alone, say: its training will tell
            given = f"inputs {_shape(inputs)}"
            if isinstance(predictions, Tensor):
                given = _beside(predictions, targets)
            return [f"{names}: {given} ({str(error).splitlines()[0]})"]
    said = _one_sample_for_batch_norm(model, data, inputs)
    return [said] if said else []


def watched_in_vain(model: LightningModule, callbacks: Sequence[Callback], metric: str | None) -> list[str]:
    """What to say of `monitor.metric`, and of each callback's `monitor`, that nobody logs while the model trains."""
    watched = {name: f"{type(each).__name__}.monitor" for each in callbacks if (name := getattr(each, "monitor", None))}
    if metric is not None:
        watched[metric] = "monitor.metric"
    said = {name: unlogged(model, callbacks, name) for name in watched}
    return [f"{who}={name}: {said[name]}" for name, who in watched.items() if said[name]]


def expected_in_vain(model: LightningModule, callbacks: Sequence[Callback], expected: Iterable[str]) -> list[str]:
    """What to say of `expected` answers of metrics that nobody logs, in training or in the test."""
    names = _logged(model, callbacks) if expected else None
    if names is None:
        return []
    unknown = [name for name in expected if name not in names]
    return [f"expected.{name}: {no_such_metric(model, name, names)}" for name in unknown]


def unlogged(model: LightningModule, callbacks: Sequence[Callback], metric: str) -> str | None:
    """What to say of a metric that nobody logs while the model trains; None where it is logged, or may be."""
    if (names := _logged(model, callbacks)) is None:
        return None
    logged = {name for name in names if not name.startswith("test/")}
    return None if metric in logged else no_such_metric(model, metric, logged, " in training")


def _logged(model: LightningModule, callbacks: Sequence[Callback]) -> set[str] | None:
    """Every metric that is logged; None where that is not known."""
    own = (type(callback).__module__.split(".")[0] for callback in callbacks)
    if not isinstance(model, SupervisedModule) or set(own) - {"leyden", "lightning"}:
        return None
    stages = {"train": model.train_metrics, "val": model.val_metrics, "test": model.test_metrics}
    logged = {f"{stage}/{name}" for stage, each in stages.items() for name in ("loss", *each.metrics)}
    for each in type(model).__mro__[: type(model).__mro__.index(SupervisedModule)]:
        names = logged_by(each)
        if names is None:
            return None
        logged |= names
    return logged


def without_batches(trainer: Trainer) -> list[str]:
    """What to say of a training that has taken no step, as its loader has no batch."""
    if trainer.num_training_batches != 0 or trainer.limit_train_batches == 0:
        return []
    loader, why = trainer.train_dataloader, "its train_dataloader has none"
    if isinstance(loader, DataLoader) and loader.drop_last and isinstance(loader.dataset, Sized):
        why = f"{len(loader.dataset)} samples, batch_size={loader.batch_size}, drop_last=True"
    return [f"data ({type(trainer.datamodule).__name__}): there is no training batch ({why})"]  # type: ignore[attr-defined]


def _broadcast(model: SupervisedModule, predictions: Any, targets: Tensor) -> str | None:
    """What a loss of torch's takes without a word, and which is never meant."""
    if not isinstance(predictions, Tensor):
        return None
    loss = type(model.loss).__name__
    if type(model.loss) in ELEMENTWISE and predictions.shape != targets.shape:
        return f"{_beside(predictions, targets)}: {loss} compares one with one, and they would be broadcast"
    if type(model.loss) is nn.CrossEntropyLoss and predictions.ndim > 1 and predictions.shape[1] == 1:
        return (
            f"{_beside(predictions, targets)}: {loss} of one class is 0 whatever is predicted; BCEWithLogitsLoss is not"
        )
    return None


def _more_classes(model: SupervisedModule, data: TensorDataModule, predictions: Any) -> str | None:
    """Labels beyond the classes that the model tells apart; in training they end in an error of the device."""
    if not isinstance(model.loss, nn.CrossEntropyLoss | nn.NLLLoss) or not isinstance(predictions, Tensor):
        return None
    labels = [split[1] for split in data.splits or () if not split[1].is_floating_point() and len(split[1])]
    highest = max((int(each[each != model.loss.ignore_index].max()) for each in labels), default=0)
    if highest < predictions.shape[1]:
        return None
    return f"labels go up to {highest}, and the model tells {predictions.shape[1]} classes apart, from 0 on"


def _one_sample_for_batch_norm(model: SupervisedModule, data: TensorDataModule, inputs: Tensor) -> str | None:
    """A training batch of one sample where batch norm then has one value for each channel, and raises."""
    samples = len(data.splits.train[0]) if data.splits else 0
    if not any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in model.modules()):
        return None
    if samples < 1 or (samples % data.batch_size != 1 and data.batch_size != 1):
        return None
    with looking(model):
        try:
            copy.deepcopy(model).train().forward(inputs[:1])
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                return None
            last = "every batch" if data.batch_size == 1 else f"the last batch of {samples:,} samples"
            return f"data.batch_size={data.batch_size}: {last} has one sample, and batch norm needs two"
    return None


def _has_own(of: object, base: type, names: Iterable[str]) -> bool:
    return any(getattr(type(of), name) is not getattr(base, name) for name in names)


def _beside(predictions: Tensor, targets: Tensor) -> str:
    return f"predictions {_shape(predictions)} beside targets {_shape(targets)}"


def _shape(tensor: Tensor) -> str:
    return f"[{', '.join(['N', *map(str, tensor.shape[1:])])}]"
