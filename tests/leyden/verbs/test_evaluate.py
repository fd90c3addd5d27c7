"""`leyden evaluate` rebuilds a run from its folder alone."""

import ast
import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import Completed, command, leyden, only_folder, train


def shown(completed: Completed) -> dict[str, str]:
    assert completed.returncode == 0, completed.stderr
    return dict(re.findall(r"^(\S+/\S+) +([\d.e-]+)", completed.stdout, re.MULTILINE))


def evaluated(folder: Path, **arguments: str) -> dict[str, float]:
    """The exact numbers, which the table rounds."""
    probe = f"from leyden.verbs.evaluate import evaluate; print('exactly', evaluate({str(folder)!r}, **{arguments}))"
    return ast.literal_eval(command("python", "-c", probe).stdout.split("exactly ")[1])


@pytest.mark.parametrize(
    "overrides", [["experiment=xor", "model.hidden_features=7"], ["experiment=sine", "model.hidden_sizes=[6,5]"]]
)
def test_a_run_is_tested_again_to_the_last_digit_whatever_its_width(overrides: list[str], tmp_path: Path) -> None:
    completed = train(*overrides, "trainer.max_epochs=20", f"paths.log_dir={tmp_path}")
    assert completed.returncode == 0, completed.stderr
    folder = only_folder(tmp_path / overrides[0].partition("=")[2])
    kept = json.loads((folder / "result.json").read_text())["metrics"]
    assert evaluated(folder) == {name: value for name, value in kept.items() if name.startswith("test/")}


def test_the_command_prints_the_metrics_and_the_known_answer(xor_run: tuple[Path, Completed]) -> None:
    completed = leyden("evaluate", str(xor_run[0]))
    kept = json.loads((xor_run[0] / "result.json").read_text())["metrics"]
    assert shown(completed) == {name: f"{kept[name]:.6g}" for name in ("test/loss", "test/accuracy")}
    assert completed.stdout.splitlines()[-1] == f"{xor_run[0]}/checkpoints/best.ckpt"
    assert completed.stderr == ""


def test_another_split_and_another_checkpoint_can_be_named(xor_run: tuple[Path, Completed]) -> None:
    folder, _ = xor_run
    last = evaluated(folder, split="val", checkpoint="last")
    assert last == evaluated(folder, split="val", checkpoint=str(folder / "checkpoints" / "last.ckpt"))
    assert sorted(last) == ["val/accuracy", "val/loss"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("cut", "checkpoints/best.ckpt is damaged or no checkpoint: PytorchStreamReader failed reading zip archive"),
        ("gone", "has no checkpoint best.ckpt; there is: none"),
        ("other", "best.ckpt is a checkpoint of another model: size mismatch for layers.0.weight"),
    ],
)
def test_a_checkpoint_that_cannot_be_used_is_said_in_one_line(
    damage: str, message: str, xor_run: tuple[Path, Completed], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(xor_run[0], folder)
    best = folder / "checkpoints" / "best.ckpt"
    if damage == "cut":
        best.write_bytes(best.read_bytes()[:2000])
    elif damage == "gone":
        shutil.rmtree(folder / "checkpoints")
    else:
        config = folder / "config.yaml"
        config.write_text(config.read_text().replace("hidden_features: 4", "hidden_features: 5"))
    completed = leyden("evaluate", str(folder))
    assert (completed.returncode, completed.stdout) == (1, "")
    assert message in completed.stderr
    assert completed.stderr.count("\n") == 1
