"""A metric that is watched and not logged, on the trainer itself."""

import logging
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from plain_lightning import PlainData, PlainModel
from torch import Tensor, nn

from leyden.errors import UserError
from leyden.training.callbacks import Watched


class Plain(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = nn.functional.mse_loss(self.layer(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.log("val_loss", nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class NowAndThen(Plain):
    def on_validation_epoch_end(self) -> None:
        if self.current_epoch == 1:
            self.log("val/score", 1.0)


class MadeUp(Plain):
    def on_validation_epoch_end(self) -> None:
        self.log_dict({f"val/{name}": 1.0 for name in ("score", "rest")})


def log_later(name: str, module: LightningModule) -> None:
    if module.current_epoch == 1:
        module.log(f"val/{name}", 1.0)


class ByAnother(Plain):
    def on_validation_epoch_end(self) -> None:
        log_later("score", self)


class ByItsMethod(Plain):
    def on_validation_epoch_end(self) -> None:
        log = self.log if self.current_epoch == 1 else print
        log("".join(["val", "/score"]), 1.0)


class WhereThereIsSomething(Plain):
    def on_validation_epoch_end(self) -> None:
        self.scores = [*getattr(self, "scores", []), 1.0]
        if len(self.scores) > 2:  # the sanity check, and one epoch
            self.log(self.name(), 1.0)

    def name(self) -> str:
        return "val/score"


class HandsOn(Callback):
    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        log_later("score", module)


class Logs(Callback):
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch == 1:
            pl_module.log("val/own", 1.0)


def epochs(model: LightningModule, metric: str, folder: Path, *callbacks: Callback, **options: object) -> int:
    """How many epochs a training of three takes that watches `metric`."""
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    options = {"max_epochs": 3, "accelerator": "cpu", "default_root_dir": folder} | quiet | options
    trainer = Trainer(callbacks=[*callbacks, Watched(metric)], **options)
    trainer.fit(model, datamodule=PlainData(16))
    return trainer.current_epoch


@pytest.mark.parametrize(("model", "metric", "said"), [
    (Plain(), "val/loss", "Plain logs no such metric, did you mean val_loss? (there are: train_loss, val_loss)"),
    (Plain(), "val_los", "Plain logs no such metric, did you mean val_loss? (there are: train_loss, val_loss)"),
    (NowAndThen(), "val/other", "NowAndThen logs no such metric (there are: train_loss, val_loss)"),
    (MadeUp(), "val/scor", "MadeUp logs no such metric, did you mean val/score? (there are: train_loss, val/rest, "
     "val/score, val_loss)"),
    (PlainModel(2), "val/los",
     "PlainModel logs no such metric, did you mean val/loss? (there are: train/loss, val/loss)"),
])  # fmt: skip
def test_the_first_validation_tells(model: LightningModule, metric: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        epochs(model, metric, tmp_path)
    assert str(caught.value) == f"monitor.metric={metric}: {said}"


@pytest.mark.parametrize("metric", ["val_loss", "train_loss"])
def test_what_is_logged_is_enough(metric: str, tmp_path: Path) -> None:
    assert epochs(Plain(), metric, tmp_path) == 3


@pytest.mark.parametrize("model", [ByAnother(), ByItsMethod(), WhereThereIsSomething()])
def test_what_is_logged_elsewhere_or_under_a_condition_is_waited_for(
    model: LightningModule, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "leyden"):
        assert epochs(model, "val/score", tmp_path) == 3
        assert epochs(Plain(), "val/score", tmp_path, HandsOn()) == 3
    assert caplog.messages == []


def test_what_may_come_later_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "leyden"):
        assert epochs(NowAndThen(), "val/score", tmp_path) == 3
        assert epochs(Plain(), "val/own", tmp_path, Logs()) == 3
        assert epochs(Plain(), "val/loss", tmp_path, check_val_every_n_epoch=9) == 3
        assert epochs(Plain(), "val/loss", tmp_path, limit_val_batches=0) == 3
        assert caplog.messages == []
        assert epochs(NowAndThen(), "val/score", tmp_path, max_epochs=1) == 1
    assert caplog.messages == [
        "monitor.metric=val/score: NowAndThen logs no such metric (there are: train_loss, val_loss)"
    ]
