from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from conftest import called
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import EarlyStopping
from plain_lightning import PlainModel
from torch import Tensor, nn
from torchmetrics import MeanSquaredError

from lab.data import CIFAR10DataModule, NoisySineDataModule, XORDataModule
from lab.models import CifarCNN, MLPRegressor, SimpleNet
from leyden.training import Splits, SupervisedModule, TensorDataModule
from leyden.training.agreement import disagreements, unlogged, watched_in_vain
from leyden.training.callbacks import Progress


class Points(TensorDataModule):
    """Five points [5, 3] with three classes in training, and four in the test."""

    def load(self) -> Splits:
        points, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
        return Splits((points, labels), (points, labels), (points, labels + 1))


class Classifier(SupervisedModule):
    def __init__(self, classes: int, norm: bool = False) -> None:
        super().__init__(nn.CrossEntropyLoss())
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4) if norm else nn.Dropout(), nn.Linear(4, classes))

    def forward(self, inputs: Tensor) -> Tensor:
        predictions: Tensor = self.layers(inputs)
        return predictions


class Logs(Classifier):
    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        self.log("val/own", 1.0)


class LogsWhatever(Classifier):
    def on_validation_epoch_end(self) -> None:
        self.log(f"val/{self.trainer.max_epochs}", 1.0)


def log_elsewhere(module: LightningModule) -> None:
    module.log("val/elsewhere", 1.0)


class LogsElsewhere(Classifier):
    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        log_elsewhere(self)


class LogsMany(Classifier):
    def on_validation_epoch_end(self) -> None:
        self.log_dict({"val/a": 1.0, "val/b": 2.0})


class Foreign(Callback):
    """Could log what it likes."""


def said(model: SupervisedModule, data: TensorDataModule) -> list[str]:
    data.setup()
    return disagreements(model, data)


MISFIT = "model (SimpleNet) and data (NoisySineDataModule) do not fit: inputs [N, 1] ("


def test_what_fits_is_not_blamed(tiny_cifar: Path) -> None:
    assert said(SimpleNet(), XORDataModule()) == []
    assert said(MLPRegressor(), NoisySineDataModule()) == []
    assert said(CifarCNN(views="mirror_shift", whiten_epochs=1), CIFAR10DataModule(tiny_cifar, val_images=0)) == []
    assert (
        said(CifarCNN(), CIFAR10DataModule(tiny_cifar, batch_size=1)) == []
    )  # of an image each channel has more values
    assert said(Classifier(4), Points(batch_size=1)) == []
    assert said(Classifier(4, norm=True), Points(batch_size=5)) == []


def test_inputs_of_another_width(tiny_cifar: Path) -> None:
    (line,) = said(SimpleNet(), NoisySineDataModule())
    assert line.startswith(MISFIT)
    assert line.endswith("mat1 and mat2 shapes cannot be multiplied (2x1 and 2x4))")
    (line,) = said(CifarCNN(), XORDataModule())
    assert line.startswith("model (CifarCNN) and data (XORDataModule) do not fit: inputs [N, 2] (")


def test_targets_of_another_shape() -> None:
    (line,) = said(Classifier(4), TwoAnswers())
    assert line.startswith(
        "model (Classifier) and data (TwoAnswers) do not fit: predictions [N, 4] beside targets [N, 2] ("
    )


class TwoAnswers(TensorDataModule):
    def __init__(self) -> None:
        super().__init__(batch_size=2)

    def load(self) -> Splits:
        points = torch.rand(4, 3), torch.rand(4, 2)
        return Splits(points, points, points)


class Values(TensorDataModule):
    """Four points [4, 3], and targets of the shape that is asked for."""

    def __init__(self, *shape: int) -> None:
        super().__init__(batch_size=4)
        self.shape = shape

    def load(self) -> Splits:
        points = torch.rand(4, 3), torch.rand(4, *self.shape)
        return Splits(points, points, points)


class Regressor(Classifier):
    """Of one answer [N, 1], of several, or of none [N]."""

    def __init__(self, loss: nn.Module, answers: int) -> None:
        super().__init__(answers or 1)
        self.loss, self.answers = loss, answers

    def forward(self, inputs: Tensor) -> Tensor:
        predictions = super().forward(inputs)
        return predictions if self.answers else predictions.squeeze(1)


class Own(nn.MSELoss):
    """A loss of one's own, which may know what it does."""


@pytest.mark.parametrize(("loss", "answers", "shape", "given"), [
    (nn.MSELoss(), 1, (), "predictions [N, 1] beside targets [N]: MSELoss"),
    (nn.L1Loss(), 0, (1,), "predictions [N] beside targets [N, 1]: L1Loss"),
    (nn.HuberLoss(), 2, (), "predictions [N, 2] beside targets [N]: HuberLoss"),
    (nn.BCEWithLogitsLoss(), 1, (), "predictions [N, 1] beside targets [N]: BCEWithLogitsLoss"),
    (nn.MSELoss(), 1, (1,), None),
    (nn.SmoothL1Loss(), 0, (), None),
    (Own(), 1, (), None),
])  # fmt: skip
def test_what_would_be_broadcast(loss: nn.Module, answers: int, shape: tuple[int, ...], given: str | None) -> None:
    told = f"model (Regressor) and data (Values) do not fit: {given} compares one with one, and they would be broadcast"
    expected = [] if given is None else [told]
    assert said(Regressor(loss, answers), Values(*shape)) == expected


@pytest.mark.parametrize("shape", [(), (1,)])
def test_cross_entropy_of_one_class_is_always_0(shape: tuple[int, ...]) -> None:
    (line,) = said(Classifier(1), Values(*shape))
    assert line.endswith("CrossEntropyLoss of one class is 0 whatever is predicted; BCEWithLogitsLoss is not")


def test_nothing_to_train_on() -> None:
    (line,) = said(Classifier(4), Empty(batch_size=4))
    assert line == "data (Empty): there is no training batch (train has 0 samples)"


class Empty(TensorDataModule):
    def load(self) -> Splits:
        points = torch.rand(4, 3), torch.zeros(4, dtype=torch.int64)
        return Splits((points[0][:0], points[1][:0]), points, points)


def test_labels_of_any_split_beyond_the_classes() -> None:
    assert said(Classifier(3), Points(batch_size=5)) == [
        "model (Classifier) and data (Points) do not fit: "
        "labels go up to 3, and the model tells 3 classes apart, from 0 on"
    ]


@pytest.mark.parametrize(("batch_size", "which"), [(1, "every batch"), (2, "the last batch of 5 samples")])
def test_batch_norm_with_a_batch_of_one(batch_size: int, which: str) -> None:
    assert said(Classifier(4, norm=True), Points(batch_size)) == [
        f"data.batch_size={batch_size}: {which} has one sample, and batch norm needs two"
    ]


def test_looking_changes_nothing() -> None:
    model, state = Classifier(4, norm=True), torch.get_rng_state()
    model.layers[1].eval()  # as one that is frozen
    before = {name: value.clone() for name, value in model.state_dict().items()}
    said(model, Points(batch_size=2))
    assert [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])] == []
    assert [module.training for module in model.layers] == [True, False, True]
    assert model.training
    torch.set_rng_state(state)
    expected = torch.randn(5, 3)
    torch.set_rng_state(state)
    disagreements(model, data := Points(batch_size=2))
    assert data.splits is None
    assert torch.equal(torch.randn(5, 3), expected)


THERE = "train/accuracy, train/loss, val/accuracy, val/loss"


@pytest.mark.parametrize(("model", "metric", "answer"), [
    (SimpleNet(), "val/loss", None),
    (SimpleNet(), "train/accuracy", None),
    (SimpleNet(), "val/acc",
     f"SimpleNet logs no such metric in training, did you mean val/accuracy? (there are: {THERE})"),
    (SimpleNet(), "test/loss",
     f"SimpleNet logs no such metric in training, did you mean train/loss or val/loss? (there are: {THERE})"),
    (MLPRegressor(), "val/r2",
     "MLPRegressor logs no such metric in training (there are: train/loss, train/mse, val/loss, val/mse)"),
    (Logs(3), "val/own", None),
    (Logs(3), "val/owm", "Logs logs no such metric in training, did you mean val/own? (there are: train/loss, "
     "val/loss, val/own)"),
    (LogsWhatever(3), "val/3", None),
    (LogsElsewhere(3), "val/elsewhere", None),
    (LogsMany(3), "val/b", None),
    (LogsMany(3), "val/c", "LogsMany logs no such metric in training, did you mean val/a or val/b? (there are: "
     "train/loss, val/a, val/b, val/loss)"),
    (PlainModel(2), "anything", None),
])  # fmt: skip
def test_a_metric_that_is_not_logged(model: SupervisedModule, metric: str, answer: str | None) -> None:
    assert unlogged(model, [Progress()], metric) == answer


def test_a_callback_of_ones_own_could_log_it() -> None:
    callbacks: Sequence[Callback] = [Foreign()]
    assert unlogged(SupervisedModule(nn.MSELoss(), {"mse": MeanSquaredError()}), callbacks, "val/own") is None


def test_early_stopping_on_what_is_not_logged(tmp_path: Path) -> None:
    said = (
        "EarlyStopping.monitor=val/los: SimpleNet logs no such metric in training, did you mean val/loss? "
        f"(there are: {THERE})"
    )
    assert watched_in_vain(SimpleNet(), [EarlyStopping("val/los"), EarlyStopping("val/accuracy")], "val/loss") == [said]
    words = "experiment=xor", "callbacks=early_stopping", "callbacks.early_stopping.monitor=val/los"
    assert called("train", *words, f"paths.log_dir={tmp_path}/logs").stderr == f"error: {said}\n"
    assert list((tmp_path / "logs").rglob("*")) == []


def test_a_training_ends_before_it_begins(tmp_path: Path) -> None:
    completed = called("train", "data=noisy_sine", f"paths.log_dir={tmp_path}/logs")
    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr.startswith(f"error: {MISFIT}")
    assert completed.stderr.count("\n") == 1
    completed = called("train", "experiment=xor", "monitor.metric=val/acc", f"paths.log_dir={tmp_path}/logs")
    assert completed.stderr == (
        "error: monitor.metric=val/acc: SimpleNet logs no such metric in training, did you mean val/accuracy? "
        f"(there are: {THERE})\n"
    )
    assert list((tmp_path / "logs").rglob("*")) == []
