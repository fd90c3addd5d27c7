"""`population=K` trains K seeds as one computation, and each comes to what it would have come to alone."""

import csv
import json
import re
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from conftest import called, only_folder, started

XOR = ("experiment=xor", "trainer.max_epochs=40")
SINE = ("experiment=sine", "trainer.max_epochs=4", "trainer.check_val_every_n_epoch=2")


def trained(logs: Path, *words: str) -> Path:
    """The folder of a run that was trained in this process."""
    completed = called("train", *words, f"paths.log_dir={logs}")
    assert completed.returncode == 0, completed.stderr
    return only_folder(only_folder(logs))


def refused(tmp_path: Path, *words: str) -> str:
    completed = called("train", "population=2", "trainer.max_epochs=2", *words, f"paths.log_dir={tmp_path}")
    assert completed.returncode == 1
    assert completed.stderr.count("\n") == 1
    assert not list(tmp_path.glob("**/result.json"))
    return completed.stderr


def result(folder: Path) -> dict[str, dict[str, float]]:
    return json.loads((folder / "result.json").read_text())


def members(folder: Path) -> list[dict[str, str]]:
    with (folder / "members.csv").open() as file:
        return list(csv.DictReader(file))


def checkpoint(folder: Path, name: str) -> dict[str, dict[str, torch.Tensor]]:
    return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


def flat(weights: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in weights.values()])


@pytest.mark.parametrize("words", [
    (*XOR, "seed=3"),
    (*XOR, "optimizer=adamw", "scheduler=onecycle", "data.batch_size=3"),
    SINE,
    (*SINE, "optimizer=adam", "scheduler=cosine", "data.batch_size=7", "data.noise_seed=${seed}"),
])  # fmt: skip
def test_each_member_equals_the_single_run_with_its_seed(words: Sequence[str], tmp_path: Path) -> None:
    run = trained(tmp_path / "all", *words, "population=4")
    rows, last = members(run), checkpoint(run, "last")["state_dict"]["weights"]
    assert last.shape[0] == 4
    for row, weights in zip(rows, last, strict=True):
        alone = trained(tmp_path / row["seed"], *words, f"seed={row['seed']}")
        told = result(alone)
        assert weights.numpy() == pytest.approx(flat(checkpoint(alone, "last")["state_dict"]).numpy(), abs=1e-6)
        known = told["metrics"] | {"val/loss (best)": told["monitor"]["value"]}
        assert {name: float(row[name]) for name in known} == pytest.approx(known, rel=1e-6, abs=1e-6)
    means = {name: sum(float(row[name]) for row in rows) / 4 for name in rows[0] if "/" in name and "(" not in name}
    assert {name: result(run)["metrics"][name] for name in means} == pytest.approx(means, rel=1e-6)


@pytest.mark.parametrize("words", [(*XOR, "checkpoint.every_n_steps=4"), (*SINE, "checkpoint.every_n_steps=16")])
def test_a_population_that_goes_on_equals_an_unbroken_one(words: Sequence[str], tmp_path: Path) -> None:
    """`previous.ckpt` of the wave lies in the middle of an epoch whose training is measured."""
    whole = trained(tmp_path / "whole", *words, "population=3")
    shutil.copytree(whole, tmp_path / "broken")
    broken = tmp_path / "broken"
    (broken / "checkpoints" / "previous.ckpt").replace(broken / "checkpoints" / "last.ckpt")
    (broken / "checkpoints" / "best.ckpt").unlink()
    (broken / "members.csv").unlink()
    assert checkpoint(broken, "last")["global_step"] < checkpoint(whole, "last")["global_step"]
    (broken / "result.json").write_text(json.dumps({**result(whole), "status": "running", "metrics": {}}))
    completed = called("train", f"resume={broken}")
    assert completed.returncode == 0, completed.stderr
    for name in ("members.csv", "metrics.csv"):
        assert (broken / name).read_text() == (whole / name).read_text()
    for name in ("best", "last"):
        states = [checkpoint(folder, name)["state_dict"] for folder in (broken, whole)]
        assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    assert result(broken)["metrics"] == result(whole)["metrics"]


def test_the_best_member_is_an_ordinary_checkpoint_of_the_plain_model(tmp_path: Path) -> None:
    words = *SINE, "data.noise_seed=${seed}", "seed=1", "population=3"
    run = trained(tmp_path, *words)
    best = min(members(run), key=lambda row: float(row["val/loss (best)"]))
    assert best["seed"] != "1"  # the data is that of the best member
    assert float(best["val/loss (best)"]) == pytest.approx(result(run)["monitor"]["value"])
    assert str(checkpoint(run, "best")["seed"]) == best["seed"]
    assert called("evaluate", str(run)).returncode == 0
    told = json.loads((run / "evaluation.json").read_text())["metrics"]
    assert told == pytest.approx({name: float(best[name]) for name in told}, rel=1e-6)
    assert {"test/loss", "test/mse", "test/mse_noiseless"} == told.keys()
    (tmp_path / "points.csv").write_text("x\n1.0\n2.0\n")
    assert called("predict", str(run), f"input={tmp_path}/points.csv").returncode == 0
    assert called("export", str(run), "format=safetensors").returncode == 0
    again = trained(tmp_path / "again", *SINE, f"init_from={run}", "population=2")
    assert len(members(again)) == 2


def test_what_is_expected_of_each_member_counts_its_successes(tmp_path: Path) -> None:
    words = "trainer.max_epochs=40", "optimizer.lr=0.01", "population=8", "expected={val/accuracy:[0.5,1.0]}"
    run = trained(tmp_path / "told", *words)
    successes = [float(row["val/accuracy"]) >= 0.5 for row in members(run)]
    assert [row["success"] == "True" for row in members(run)] == successes
    assert 0 < sum(successes) < 8
    told = result(run)["metrics"]
    assert told["test/success_rate"] == pytest.approx(sum(successes) / 8)
    assert told["test/success_rate_low"] < told["test/success_rate"] < told["test/success_rate_high"]
    silent = trained(tmp_path / "silent", *XOR, "population=2", "expected=null")
    assert "success" not in members(silent)[0]
    assert "test/success_rate" not in result(silent)["metrics"]


def test_it_is_run_again_by_its_words(tmp_path: Path) -> None:
    run = trained(tmp_path / "first", *XOR, "population=2")
    again = trained(tmp_path / "again", f"rerun={run}")
    assert members(again) == members(run)


def test_told_to_stop_it_goes_on_from_where_it_was(tmp_path: Path) -> None:
    process = started(*XOR, "population=3", "trainer.max_epochs=100000", f"paths.log_dir={tmp_path}")
    while not list(tmp_path.glob("xor/*/metrics.csv")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, output + errors
    run = only_folder(tmp_path / "xor")
    assert result(run)["status"] == "interrupted"
    assert called("evaluate", str(run)).returncode == 0
    epochs = result(run)["epochs"] + 20
    assert called("train", f"resume={run}", f"trainer.max_epochs={epochs}").returncode == 0
    assert (result(run)["status"], result(run)["epochs"], len(members(run))) == ("finished", epochs, 3)


def test_a_member_that_diverges_is_named_and_its_step_trained_again(tmp_path: Path) -> None:
    words = "experiment=sine_raw", "optimizer.lr=0.5", "trainer.max_epochs=2", "population=3", "seed=4"
    completed = called("train", *words, f"paths.log_dir={tmp_path}")
    assert completed.returncode == 1
    assert re.search(r"error: seed [456](, \d more of the 3 members with it)?: step \d+ \(epoch \d", completed.stderr)
    run = only_folder(tmp_path / "sine_raw")
    replayed = called("replay", str(run))
    assert replayed.returncode == 0, replayed.stderr
    assert re.search(r"the loss was (\S+), and is \1", replayed.stdout)


@pytest.mark.parametrize(("words", "message"), [
    (["experiment=xor", "population=0"], "population=0: must be a whole number above 0, or null"),
    (["experiment=xor", "compile=true"], "compile=true is for one model"),
    (["experiment=xor", "callbacks=early_stopping"], "early stopping would stop all members at once"),
    (["experiment=xor", "scheduler=plateau"], "ReduceLROnPlateau has one rate for all members"),
    (["experiment=xor", "trainer.gradient_clip_val=1"], "the norm would be that of all members"),
    (["experiment=xor", "trainer.accumulate_grad_batches=2"], "must be 1; data.batch_size makes a step larger"),
    (["experiment=xor", "trainer.precision=bf16-mixed"], "choose 32-true or 64-true"),
    (["experiment=xor", "trainer=ddp_cpu"], "trainer.devices: it is trained on one device"),
    (["experiment=xor", "optimizer._target_=torch.optim.Muon"], "Muon does not move each number by its own gradient"),
    (["experiment=xor", "model._target_=torch.nn.Linear"], "torch.nn.Linear (on the command line): is no L"),
])  # fmt: skip
def test_what_is_not_trained_at_once_is_refused_in_one_line(words: list[str], message: str, tmp_path: Path) -> None:
    assert message in refused(tmp_path, *words)


def test_running_statistics_are_refused_in_one_line(tmp_path: Path, tiny_cifar: Path) -> None:
    message = refused(tmp_path, "experiment=cifar10", f"paths.data_dir={tiny_cifar}")
    assert message == (
        "error: population: CifarCNN has running statistics or other buffers (whiten.fitted), "
        "which members cannot share\n"
    )
