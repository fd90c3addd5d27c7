"""Figures of any model, and the callback that draws them in a plain Lightning training."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

from lab.data import NoisySineDataModule, XORDataModule
from lab.models import MLPRegressor, SimpleNet
from leyden.training import Splits, SupervisedModule, TensorDataModule
from leyden.training.callbacks import Figures
from leyden.training.callbacks.figures import is_spread
from leyden.training.figures import (
    Answers,
    asked,
    class_accuracy,
    confusion_matrix,
    fit,
    loss_curve,
    over_epochs,
    residuals,
)
from leyden.training.loggers import CSVLogger, TensorBoardLogger

LABELS = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
SAID = torch.tensor([0, 0, 1, 1, 1, 2, 2, 2, 0, 1])


class Threes(SupervisedModule):
    """Three classes, told by logits."""

    def __init__(self) -> None:
        super().__init__(nn.CrossEntropyLoss())
        self.layer = nn.Linear(2, 3)


def drawn(figure: Figure | None) -> Figure:
    assert figure is not None
    return figure


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_confusion_matrix_counts() -> None:
    answers = Answers(nn.functional.one_hot(SAID, 3).float(), LABELS)
    figure = drawn(confusion_matrix(Threes(), XORDataModule(), answers))
    assert figure.axes[0].images[0].get_array().tolist() == pytest.approx(
        np.array([[2 / 3, 1 / 3, 0], [0, 1, 0], [0.2, 0.2, 0.6]])
    )
    assert texts(figure) == ["2", "1", "2", "1", "1", "3"]
    assert figure.axes[0].get_title() == "70.0% of 10 are right"


def test_the_accuracy_of_each_class() -> None:
    answers = Answers(nn.functional.one_hot(SAID, 3).float(), LABELS)
    figure = drawn(class_accuracy(Threes(), XORDataModule(), answers))
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([200 / 3, 100, 60])


def test_fit_and_residuals_hold_the_data() -> None:
    model, data = MLPRegressor().eval(), NoisySineDataModule(points=50)
    data.setup()
    assert data.splits is not None
    assert data.normalize is not None
    points, curve = drawn(fit(model, data)).axes[0].lines
    assert points.get_xydata().tolist() == torch.cat(data.splits.train[:2], 1).tolist()
    x = torch.tensor(curve.get_xdata(), dtype=torch.float32).view(-1, 1)
    assert (x.min(), x.max()) == (0, 20)
    said = model(data.normalize(x)).detach()
    assert torch.allclose(torch.tensor(curve.get_ydata(), dtype=torch.float32), said.flatten(), atol=1e-6)

    answers = asked(model, data)
    assert answers is not None
    zero, left = drawn(residuals(model, data, answers)).axes[0].lines
    inputs, targets = data.splits.test[:2]
    expected = torch.cat([inputs, targets - model(data.normalize(inputs)).detach()], 1)
    assert torch.allclose(torch.tensor(left.get_xydata(), dtype=torch.float32), expected, atol=1e-5)
    assert list(zero.get_ydata()) == [0, 0]


def test_what_a_model_has_not_is_not_drawn() -> None:
    xor, net, sine = XORDataModule(), SimpleNet().eval(), NoisySineDataModule(points=20)
    xor.setup()
    sine.setup()
    answers = asked(net, xor)
    assert answers is not None
    assert (fit(net, xor), residuals(net, xor, answers)) == (None, None)  # a classifier
    line = asked(MLPRegressor().eval(), sine)
    assert line is not None
    assert (confusion_matrix(MLPRegressor(), sine, line), class_accuracy(MLPRegressor(), sine, line)) == (None, None)
    assert loss_curve(net, xor, {}) is None
    assert asked(LightningModule(), xor) is None


def test_the_loss_curve_is_what_was_logged(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    logger.log_metrics({"train/loss": 2.0, "val/loss": 1.5, "epoch": 1}, step=7)
    logger.flush()
    logger.log_metrics({"train/loss": 0.25, "epoch": 3}, step=15)
    logger.log_metrics({"test/loss": 9.0, "epoch": 4}, step=16)
    figure = drawn(loss_curve(SimpleNet(), XORDataModule(), logger.history()))
    train, val = figure.axes[0].lines
    assert train.get_xydata().tolist() == [[2, 2], [4, 0.25]]
    assert val.get_xydata().tolist() == [[2, 1.5]]
    assert figure.axes[0].get_ylabel() == "loss (MSELoss)"


def test_epochs_are_spread_on_a_logarithmic_scale() -> None:
    assert [epoch for epoch in range(1, 3001) if is_spread(epoch)] == [1, 3, 10, 30, 100, 300, 1000, 3000]


@over_epochs
def blank(module: LightningModule, data: TensorDataModule) -> Figure:
    """Takes all the random numbers that it can, and changes the mode."""
    np.random.rand(3)
    torch.rand(3)
    module.train()
    return Figure(figsize=(2, 1))


def broken(module: LightningModule, data: TensorDataModule) -> Figure:
    raise ValueError("no such thing\nat all")


class Noisy(SimpleNet):
    """Takes random numbers in every step."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs + 0.01 * torch.randn_like(inputs) * self.training)


def trained(folder: Path, callbacks: Sequence[Callback], epochs: int = 12, **arguments: Any) -> SimpleNet:
    torch.manual_seed(0)
    np.random.seed(0)
    model, data = Noisy(), XORDataModule()
    loggers = [TensorBoardLogger(folder), CSVLogger(folder)]
    trainer = Trainer(
        accelerator="cpu", max_epochs=epochs, callbacks=list(callbacks), logger=loggers, default_root_dir=folder,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False, **arguments,
    )  # fmt: skip
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    loggers[0].close("finished")  # type: ignore[attr-defined]
    return model


def test_a_training_is_the_same_to_the_last_bit_with_figures_and_one_that_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = trained(tmp_path, [])
    numbers = torch.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index]
    figures = {"blank": blank, "broken": over_epochs(broken), "loss": loss_curve, "matrix": confusion_matrix}
    (tmp_path / "run").mkdir()
    with caplog.at_level(logging.WARNING):
        with_figures = trained(tmp_path / "run", [Figures(tmp_path / "run" / "figures", figures)])
    assert all(torch.equal(*pair) for pair in zip(plain.parameters(), with_figures.parameters(), strict=True))
    assert torch.equal(torch.get_rng_state(), numbers[0])
    assert np.random.get_state()[1].tolist() == numbers[1]  # type: ignore[index]
    said = [record.getMessage() for record in caplog.records if "figure" in record.getMessage()]
    assert len(said) == 1
    assert re.fullmatch(r"figure broken is left out \(.*test_figures\.py:\d+\): ValueError: no such thing", said[0])

    folder = tmp_path / "run" / "figures"
    pictures = {str(file.relative_to(folder)): Image.open(file).size for file in sorted(folder.rglob("*.png"))}
    frames = {f"blank/epoch_{epoch:06}.png": (200, 100) for epoch in (1, 3, 10)}
    assert pictures == {"blank.png": (200, 100), **frames, "loss.png": (480, 360), "matrix.png": (480, 360)}
    assert list(folder.rglob(".*")) == []

    events = EventAccumulator(str(tmp_path / "run"), size_guidance={"images": 0})
    events.Reload()
    steps = {tag: [event.step for event in events.Images(tag)] for tag in events.Tags()["images"]}
    assert steps == {"figures/blank": [3, 11, 39, 48], "figures/loss": [48], "figures/matrix": [48]}
    last = events.Images("figures/matrix")[0]
    assert (last.width, last.height) == (480, 360)
    assert last.encoded_image_string == (folder / "matrix.png").read_bytes()


def test_a_debug_run_draws_nothing(tmp_path: Path) -> None:
    trained(tmp_path, [Figures(tmp_path / "figures", {"blank": blank})], fast_dev_run=True)
    assert not (tmp_path / "figures").exists()


def test_a_folder_that_is_gone_does_not_come_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trained(tmp_path, [Figures(tmp_path / "gone" / "figures", {"blank": blank})], epochs=1)
    assert not (tmp_path / "gone").exists()
    assert re.search(r"figure blank is left out.*: FileNotFoundError", caplog.text)


class Untested(LightningModule):
    """A module of somebody else, without a test."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return nn.functional.mse_loss(self.layer(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class Pairs(TensorDataModule):
    def load(self) -> Splits:
        points = torch.rand(4, 2), torch.rand(4, 1)
        return Splits(points, points, points)


def test_a_model_without_a_test_is_drawn_when_its_training_ends(tmp_path: Path) -> None:
    figures = Figures(tmp_path / "figures", {"blank": blank, "fit": fit, "matrix": confusion_matrix})
    trainer = Trainer(
        accelerator="cpu", max_epochs=1, callbacks=[figures], logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(Untested(), datamodule=Pairs(batch_size=2))
    assert [file.name for file in figures.files] == ["blank.png"]
