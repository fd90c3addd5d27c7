"""`leyden evaluate` rebuilds a run from its folder alone."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from conftest import Completed, called, leyden, only_folder, train

from lab.data import NoisySineDataModule
from lab.models import MLPRegressor
from leyden.verbs.evaluate import evaluate


def shown(completed: Completed) -> dict[str, str]:
    assert completed.returncode == 0, completed.stderr
    return dict(re.findall(r"^(\S+/\S+) +([\d.e-]+)", completed.stdout, re.MULTILINE))


@pytest.mark.parametrize(
    "overrides", [["experiment=xor", "model.hidden_features=7"], ["experiment=sine", "model.hidden_sizes=[6,5]"]]
)
def test_a_run_is_tested_again_to_the_last_digit_whatever_its_width(overrides: list[str], tmp_path: Path) -> None:
    completed = train(*overrides, "trainer.max_epochs=20", f"paths.log_dir={tmp_path}")
    assert completed.returncode == 0, completed.stderr
    folder = only_folder(tmp_path / overrides[0].partition("=")[2])
    kept = json.loads((folder / "result.json").read_text())["metrics"]
    assert evaluate(str(folder)) == {name: value for name, value in kept.items() if name.startswith("test/")}


def test_the_command_prints_the_metrics_and_the_known_answer(xor_run: tuple[Path, Completed]) -> None:
    completed = leyden("evaluate", str(xor_run[0]))
    kept = json.loads((xor_run[0] / "result.json").read_text())["metrics"]
    assert shown(completed) == {name: f"{kept[name]:.6g}" for name in ("test/loss", "test/accuracy")}
    assert completed.stdout.splitlines()[-1] == f"{xor_run[0]}/checkpoints/best.ckpt"
    assert completed.stderr == ""


def test_another_split_and_another_checkpoint_can_be_named(xor_run: tuple[Path, Completed]) -> None:
    folder, _ = xor_run
    last = evaluate(str(folder), split="val", checkpoint="last")
    assert last == evaluate(str(folder), split="val", checkpoint=str(folder / "checkpoints" / "last.ckpt"))
    assert sorted(last) == ["val/accuracy", "val/loss"]


def test_a_run_that_was_trained_without_a_progress_bar_is_scored_all_the_same(tmp_path: Path) -> None:
    quiet = "callbacks.progress=null", "+trainer.enable_progress_bar=false", "figures=none"
    completed = train("experiment=xor", "trainer.max_epochs=10", *quiet, f"paths.log_dir={tmp_path}")
    assert completed.returncode == 0, completed.stderr
    kept = json.loads((only_folder(tmp_path / "xor") / "result.json").read_text())["metrics"]
    assert evaluate(str(only_folder(tmp_path / "xor"))) == {name: kept[name] for name in ("test/loss", "test/accuracy")}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("cut", "checkpoints/best.ckpt is damaged or no checkpoint: it is cut short, or was not written by torch.save"),
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
    completed = called("evaluate", str(folder))
    assert (completed.returncode, completed.stdout) == (1, "")
    assert message in completed.stderr
    assert completed.stderr.count("\n") == 1


def test_what_was_scored_is_written_beside_the_run(xor_run: tuple[Path, Completed]) -> None:
    folder, _ = xor_run
    metrics = evaluate(str(folder), split="val")
    assert json.loads((folder / "evaluation.json").read_text()) == {
        "split": "val",
        "checkpoint": f"{folder}/checkpoints/best.ckpt",
        "overrides": {},
        "metrics": metrics,
    }


def test_other_data_can_be_scored_with_the_normalisation_that_was_trained_with(sine_run: Path) -> None:
    """Twice as many training points have another deviation; the same test points would have the same error."""
    own = evaluate(str(sine_run))
    assert evaluate(str(sine_run), **{"data.noise_seed": "5"})["test/mse"] != own["test/mse"]
    few = evaluate(str(sine_run), **{"data.points": "20"})["test/mse_noiseless"]
    checkpoint = torch.load(sine_run / "checkpoints" / "best.ckpt", weights_only=True)
    model = MLPRegressor.load_from_checkpoint(sine_run / "checkpoints" / "best.ckpt")
    inputs, _, curve = NoisySineDataModule(points=20).load().test
    normalize = checkpoint["NoisySineDataModule"]["normalize"]
    expected = (model((inputs - normalize["mean"]) / normalize["std"]) - curve).square().mean()
    assert few == pytest.approx(float(expected), rel=1e-5)
    option = evaluate(str(sine_run), data="noisy_sine")
    assert option == own


def test_an_override_that_does_not_fit_is_said_in_one_line(xor_run: tuple[Path, Completed]) -> None:
    for word, message in {
        "data.batchsize=3": "data.batchsize=3: the run's config has no such key, did you mean data.batch_size?",
        "data=xorr": "data=xorr: no such option, did you mean xor? (there are: cifar10, noisy_sine, xor)",
        "data.batch_size=x": "data.batch_size='x' (on the command line): must be int",
        "data.batch_size=1,2": "data.batch_size=1,2: takes one value; a list is written [1,2]",
        "data=noisy_sine": "data (NoisySineDataModule): inputs [1] where the model was trained on [2]",
    }.items():
        completed = called("evaluate", str(xor_run[0]), word)
        assert (completed.returncode, completed.stderr) == (1, f"error: {message}\n")
