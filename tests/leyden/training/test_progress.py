import io
import logging
import re
from pathlib import Path

import pytest
from lightning.pytorch import Trainer
from rich.console import Console
from test_supervised import Line, Points
from torch import Tensor

from leyden.errors import UserError
from leyden.training.callbacks import Best, Progress
from leyden.training.callbacks.progress import _fitted


def fit(progress: Progress, folder: Path, model: Line | None = None, mode: str = "min", **arguments: object) -> None:
    Trainer(
        accelerator="cpu",
        max_epochs=4,
        logger=False,
        callbacks=[Best("val/loss", mode), progress],
        default_root_dir=folder,
        **arguments,
    ).fit(model or Line(), Points(batch_size=5))


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name.startswith("leyden")]


def test_a_mode_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="mode=minimum: must be min or max"):
        Best("val/loss", "minimum")


def test_where_there_is_no_terminal_a_plain_line_says_how_far_training_is(tmp_path, caplog) -> None:
    caplog.set_level("INFO", "leyden")
    fit(Progress(plain_seconds=0.0), tmp_path)
    lines = messages(caplog)
    assert len(lines) == 12
    ends = r", val/loss [\d.]+ \(best [\d.]+\), [\d.,]+ steps/s, 0:00 left"
    assert re.fullmatch(rf"epoch 4/4, loss [\d.e-]+{ends}", lines[-2])
    assert re.fullmatch(rf"epoch 4/4, validation 1/1{ends}", lines[-1])


def on_screen(screen: io.StringIO) -> Progress:
    """As on a terminal of 120 columns."""
    progress = Progress()
    progress.console = Console(file=screen, force_terminal=True, width=120)
    progress.seconds, progress.is_live = 0.0, True
    return progress


def test_on_a_terminal_the_line_is_drawn_over_itself_and_kept_to_one(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen = io.StringIO()
    fit(on_screen(screen), tmp_path)
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", screen.getvalue())
    assert "epoch 1/4" in shown
    assert "epoch 4/4" in shown
    assert shown.count("\n") <= 1


class Values(Line):
    """Whose validations give 2, 1, 3 and 2, and its sanity check 0, whatever it learns."""

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", 0.0 if self.trainer.sanity_checking else (2.0, 1.0, 3.0, 2.0)[self.current_epoch])


@pytest.mark.parametrize(("mode", "best"), [("min", "1"), ("max", "3")])
def test_the_best_value_is_that_of_the_mode(mode: str, best: str, tmp_path, caplog) -> None:
    caplog.set_level("INFO", "leyden")
    fit(Progress(plain_seconds=0.0), tmp_path, Values(), mode)
    assert f"val/loss 3 (best {best})" in messages(caplog)[-1]


class Constant(Line):
    def training_step(self, batch: object, batch_idx: int) -> Tensor:
        return super().training_step(batch, batch_idx) * 0 + 8


def test_the_loss_is_that_of_a_batch_whatever_gradients_are_accumulated_over(tmp_path, caplog) -> None:
    caplog.set_level("INFO", "leyden")
    fit(Progress(plain_seconds=0.0), tmp_path, Constant(), accumulate_grad_batches=2)
    assert "loss 8," in messages(caplog)[-2]


class Talking(Line):
    def on_train_epoch_end(self) -> None:
        print("printed")
        logging.getLogger().warning("logged")


def test_what_is_said_meanwhile_stands_above_the_line(tmp_path, monkeypatch) -> None:
    """As a terminal shows it, where carriage returns and erasures have taken effect."""
    monkeypatch.setenv("TERM", "xterm")
    screen = io.StringIO()
    monkeypatch.setattr("sys.stdout", screen)
    handler = logging.StreamHandler(screen)
    logging.getLogger().addHandler(handler)
    try:
        fit(on_screen(screen), tmp_path, Talking())
    finally:
        logging.getLogger().removeHandler(handler)
    assert handler.stream is screen
    lines = [
        re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line.rpartition("\x1b[2K")[2]) for line in screen.getvalue().split("\n")
    ]
    assert [line for line in lines if "printed" in line] == ["printed"] * 4
    assert [line for line in lines if "logged" in line] == ["logged"] * 4


LONG = [
    "epoch 100/1000",
    "loss 0.0123",
    "val/mean_average_precision_at_50 0.0123 best 0.0123",
    "1,234/s",
    "1:02:03 left",
]


def test_a_line_that_is_too_long_loses_blanks_and_then_the_end_of_a_name() -> None:
    assert _fitted(LONG, 200) == "  ".join(LONG)
    assert _fitted(LONG, len(" ".join(LONG))) == " ".join(LONG)
    fitted = "epoch 100/1000 loss 0.0123 val/mean_ave.. 0.0123 best 0.0123 1,234/s 1:02:03 left"
    assert _fitted(LONG, len(fitted)) == fitted
    assert len(_fitted(LONG, 60)) == 60


def test_a_test_and_a_validation_alone_say_how_far_they_are(tmp_path, caplog) -> None:
    caplog.set_level("INFO", "leyden")
    arguments = {"accelerator": "cpu", "logger": False, "default_root_dir": tmp_path}
    trainer = Trainer(callbacks=[Progress(plain_seconds=0.0)], **arguments)
    trainer.validate(Line(), Points(batch_size=5), verbose=False)
    assert messages(caplog) == ["validation 1/1"]
