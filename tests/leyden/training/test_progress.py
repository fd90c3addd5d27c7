import io
import re
from pathlib import Path

import pytest
from lightning.pytorch import Trainer
from rich.console import Console
from test_supervised import Line, Points

from leyden.training.callbacks import Progress


def fit(progress: Progress, folder: Path) -> None:
    Trainer(accelerator="cpu", max_epochs=3, logger=False, callbacks=[progress], default_root_dir=folder).fit(
        Line(), Points(batch_size=5)
    )


def test_where_there_is_no_terminal_a_plain_line_says_how_far_training_is(tmp_path, caplog) -> None:
    caplog.set_level("INFO", "leyden")
    fit(Progress(plain_seconds=0.0), tmp_path)
    lines = [record.message for record in caplog.records if record.name.startswith("leyden")]
    assert len(lines) == 6
    assert re.fullmatch(
        r"epoch 3/3, loss [\d.e-]+, val/loss [\d.]+ \(best [\d.]+\), [\d.,]+ steps/s, 0:00 left", lines[-1]
    )


def test_on_a_terminal_the_line_is_drawn_over_itself_and_kept_to_one(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen = io.StringIO()
    progress = Progress()
    progress.console = Console(file=screen, force_terminal=True, width=120)
    progress.seconds = 0.0
    fit(progress, tmp_path)
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", screen.getvalue())
    assert "epoch 1/3" in shown
    assert "epoch 3/3" in shown
    assert shown.count("\n") <= 1


class Values(Line):
    """Whose validations give 2, 1, 3 and 2, whatever it learns."""

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", (2.0, 1.0, 3.0, 2.0)[self.current_epoch])


@pytest.mark.parametrize(("mode", "best"), [("min", "1"), ("max", "3")])
def test_the_best_value_is_that_of_the_mode(mode: str, best: str, tmp_path, caplog) -> None:
    caplog.set_level("INFO", "leyden")
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=4,
        limit_val_batches=1,
        num_sanity_val_steps=0,
        logger=False,
        callbacks=[Progress(mode=mode, plain_seconds=0.0)],
        default_root_dir=tmp_path,
    )
    trainer.fit(Values(), Points(batch_size=10))
    last = [record.message for record in caplog.records if record.name.startswith("leyden")][-1]
    assert f"val/loss 3 (best {best})" in last
