from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from conftest import called
from lightning.pytorch import Callback
from plain_lightning import PlainModel
from torch import Tensor, nn
from torchmetrics import MeanSquaredError

from lab.data import CIFAR10DataModule, NoisySineDataModule, XORDataModule
from lab.models import CifarCNN, MLPRegressor, SimpleNet
from leyden.training import Splits, SupervisedModule, TensorDataModule
from leyden.training.agreement import disagreements, unlogged
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
    (PlainModel(2), "anything", None),
])  # fmt: skip
def test_a_metric_that_is_not_logged(model: SupervisedModule, metric: str, answer: str | None) -> None:
    assert unlogged(model, [Progress()], metric) == answer


def test_a_callback_of_ones_own_could_log_it() -> None:
    callbacks: Sequence[Callback] = [Foreign()]
    assert unlogged(SupervisedModule(nn.MSELoss(), {"mse": MeanSquaredError()}), callbacks, "val/own") is None


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
