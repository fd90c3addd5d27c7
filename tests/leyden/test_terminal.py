"""What a training looks like on a real terminal, and where there is none."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from conftest import PROJECT, Completed, command, only_folder, train
from record_terminal import Pane

LINES = {
    80: r"epoch \d+/400  loss [\d.e-]+  val/loss [\d.]+ best [\d.]+  [\d,.]+/s  \d:\d\d left",
    200: r"[━╸╺]{20} epoch \d+/400, loss [\d.e-]+, val/loss [\d.]+ \(best [\d.]+\), [\d,.]+ steps/s, \d:\d\d left",
}
TREE = """\
config, where it is not the default (print_config=all shows all of it)
├── experiment: xor
├── name: xor
├── threads: 1
├── expected
│   └── test/accuracy: [1.0, 1.0]
├── optimizer
│   └── lr: 0.01
├── trainer
│   ├── max_epochs: {epochs}
│   └── check_val_every_n_epoch: 10
├── figures: xor
└── paths
    └── log_dir: {logs}
"""


def pane(columns: int, cwd: Path, epochs: int) -> Pane:
    """A terminal that knows the command as $RUN, so that it takes one line."""
    if not shutil.which("tmux"):
        pytest.skip("no tmux is found: apt-get install tmux")
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT / "src"),
        "RUN": f"python {PROJECT}/train.py experiment=xor trainer.max_epochs={epochs} paths.log_dir=logs",
    }
    return Pane(columns, cwd, environment)


def header(epochs: int, run: Path) -> list[str]:
    """The screen down to where the training begins."""
    said = ["xor: training SimpleNet (17 parameters) on 1 x cpu", f"in logs/xor/{run.name}"]
    return ["$ $RUN", *TREE.format(epochs=epochs, logs="logs").splitlines(), *said]


READY = re.compile(r"^\$", re.MULTILINE).search
AT_END = re.compile(r"\n\$$").search


@pytest.mark.parametrize("columns", LINES)
def test_on_a_terminal_one_line_follows_the_training_and_is_gone_at_its_end(columns: int, tmp_path: Path) -> None:
    line = re.compile(f"^{LINES[columns]}$", re.MULTILINE)
    with pane(columns, tmp_path, epochs=400) as terminal:
        terminal.until(READY)
        terminal.type("$RUN")
        during = terminal.until(line.search)
        after = terminal.until(AT_END)
    run = only_folder(tmp_path / "logs" / "xor")
    begun = header(400, run)
    assert during.splitlines()[:-1] == begun
    table = after.splitlines()[len(begun) : -1]
    assert after.splitlines()[: len(begun)] == begun
    assert table[0].split() == ["metric", "value", "expected"]
    assert [row.split()[0] for row in table[1:8]] == [
        *("val/loss", "val/loss", "val/accuracy", "train/loss", "train/accuracy", "test/loss", "test/accuracy")
    ]
    edge = table[0].index("value") + len("value")
    assert [row[edge - 1 : edge + 2].strip().isdigit() for row in table[1:8]] == [True] * 7
    assert re.fullmatch(r"400 epochs, 1,600 steps, [\d.]+ s; tested: checkpoints/best.ckpt", table[8])
    assert table[9:] == [f"logs/xor/{run.name}"]


def test_what_is_stopped_leaves_nothing_of_the_line(tmp_path: Path) -> None:
    with pane(200, tmp_path, epochs=100_000) as terminal:
        terminal.until(READY)
        terminal.type("$RUN")
        terminal.until(re.compile("loss .* left").search)
        terminal.press("C-c")
        lines = terminal.until(AT_END).splitlines()
    run = only_folder(tmp_path / "logs" / "xor")
    assert lines == [
        *header(100_000, run),
        "saving after this batch; once more stops at once",
        f"interrupted: told to stop by SIGINT; python train.py resume=logs/xor/{run.name} goes on",
        "$",
    ]


def test_in_a_pipe_there_are_plain_lines_and_no_control_characters(xor_run: tuple[Path, Completed]) -> None:
    folder, completed = xor_run
    assert set(re.findall(r"[\x00-\x1f\x7f-\x9f]", completed.stdout)) == {"\n"}
    assert completed.stdout.startswith(TREE.format(epochs=1000, logs=folder.parents[1]))
    assert TREE.format(epochs=1000, logs=folder.parents[1]) in (folder / "train.log").read_text()


def test_what_is_printed_follows_print_config_and_stays_plain_in_ascii(tmp_path: Path) -> None:
    words = "experiment=xor", "debug=fast_dev_run", f"paths.log_dir={tmp_path}"
    ascii_words = *words, "print_config=all", "name='zürich'"
    whole = command("python", "train.py", *ascii_words, PYTHONIOENCODING="ascii").stdout
    assert whole.startswith("config\n+-- name: z\\xfcrich\n+-- seed: 0\n")
    assert "hidden_features: 4\n" in whole
    assert whole.isascii()
    nothing = train(*words, "print_config=false").stdout
    assert nothing.startswith("debug: training SimpleNet (17 parameters) on 1 x cpu\nin ")
