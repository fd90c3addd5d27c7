"""What cannot be trained as one computation, said before it begins."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from torch.optim.lr_scheduler import ReduceLROnPlateau

from leyden.errors import UserError
from leyden.training.supervised import SupervisedModule
from leyden.training.tensor_data import TensorDataModule

# Each number moves by its own gradient alone.
ELEMENTWISE = (
    *(torch.optim.Adadelta, torch.optim.Adagrad, torch.optim.Adam, torch.optim.Adamax, torch.optim.AdamW),
    *(torch.optim.ASGD, torch.optim.NAdam, torch.optim.RAdam, torch.optim.RMSprop, torch.optim.Rprop, torch.optim.SGD),
)
TESTS = ("test_step", "on_test_epoch_end")
MODELS_OWN = ("forward", "predict_step", "probabilities", *TESTS)
DATAS_OWN = ("load", "prepare_data")


def refuse_model(model: LightningModule) -> None:
    """Raises UserError for one that is no SupervisedModule, trains by steps of its own, or changes more than parameters
    by training, such as running statistics."""
    name = type(model).__name__
    if not isinstance(model, SupervisedModule):
        raise UserError(f"population: {name} is no SupervisedModule, and its steps are not known")
    if buffers := [buffer for buffer, _ in model.named_buffers()]:
        raise UserError(
            f"population: {name} has running statistics or other buffers ({buffers[0]}), which members cannot share"
        )
    if own := overridden(model, SupervisedModule) - set(MODELS_OWN):
        raise UserError(f"population: {name} has its own {min(own)}, which cannot be called for all members at once")
    if frozen := [key for key, parameter in model.named_parameters() if not parameter.requires_grad]:
        raise UserError(f"population: {name} has parameters that are not trained ({frozen[0]})")
    if not list(model.parameters()):
        raise UserError(f"population: {name} has no parameters")


def refuse_data(data: LightningDataModule) -> None:
    """Raises UserError for data that is no TensorDataModule, is augmented, or comes in batches of its own."""
    name = type(data).__name__
    if not isinstance(data, TensorDataModule):
        raise UserError(f"population: {name} is no TensorDataModule, and the order of its batches is not known")
    if own := overridden(data, TensorDataModule) - set(DATAS_OWN):
        raise UserError(f"population: {name} has its own {min(own)}, which cannot be called for all members at once")


def refuse_trainer(trainer: Trainer) -> None:
    """Raises UserError for what would let one member depend on others, or stop them."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    reasons = {
        "trainer.devices": (trainer.world_size > 1, "it is trained on one device"),
        "trainer.gradient_clip_val": (trainer.gradient_clip_val, "the norm would be that of all members"),
        "trainer.accumulate_grad_batches": (
            trainer.accumulate_grad_batches != 1,
            "must be 1; data.batch_size makes a step larger",
        ),
        "trainer.precision": (
            trainer.precision not in ("32-true", "64-true"),
            "choose 32-true or 64-true",
        ),
        "callbacks": (
            any(isinstance(each, EarlyStopping) for each in callbacks),
            "early stopping would stop all members at once",
        ),
    }
    for key, (found, reason) in reasons.items():
        if found:
            raise UserError(f"population, {key}: {reason}")


def refuse_optimizer(configured: Any) -> None:
    """Raises UserError for an optimizer that is not elementwise, and for a scheduler that watches a metric.

    `configured` is what SupervisedModule.configure_optimizers gives.
    """
    parts = configured if isinstance(configured, dict) else {"optimizer": configured}
    if type(parts["optimizer"]) not in ELEMENTWISE:
        names = ", ".join(sorted(each.__name__ for each in ELEMENTWISE))
        raise UserError(
            f"population: {type(parts['optimizer']).__name__} does not move each number by its own gradient alone: "
            f"choose one of {names}"
        )
    if isinstance(parts.get("lr_scheduler", {}).get("scheduler"), ReduceLROnPlateau):
        raise UserError("population: ReduceLROnPlateau has one rate for all members; choose another scheduler")


@contextmanager
def said_in_one_line(model: LightningModule) -> Iterator[None]:
    """Raises UserError where `torch.func` cannot batch what the model does: random numbers, an `if` of its outputs."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).split(". ")[0].splitlines()[0]
        raise UserError(f"population: {type(model).__name__} cannot be trained as one computation: {reason}") from error


def overridden(of: object, base: type) -> set[str]:
    """The methods and properties of `base` that the class of `of` has in a form of its own."""
    below = {name for cls in type(of).__mro__[: type(of).__mro__.index(base)] for name in vars(cls)}
    methods = {name for name in dir(base) if callable(member := getattr(base, name)) or isinstance(member, property)}
    return {name for name in below & methods if not name.startswith("__")}
