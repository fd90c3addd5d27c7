"""`experiment=cifar10_fast` as it is, on a few images of no real thing and with few filters."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from conftest import called, command, only_folder

SMALL = ("trainer.precision=32-true", "model.widths=[8,8,8]", "data.batch_size=400", "optimizer.lr=0.05")  # six steps


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_cifar: Path) -> Path:
    """A run of five epochs, with a checkpoint in the middle of the fourth: there the whitening has come to rest."""
    logs = tmp_path_factory.mktemp("logs")
    short = "trainer.max_epochs=5", "trainer.check_val_every_n_epoch=5", "checkpoint.every_n_steps=20"
    folders = f"paths.log_dir={logs}", f"paths.data_dir={tiny_cifar}"
    completed = called("train", "experiment=cifar10_fast", *SMALL, *short, *folders)
    assert completed.returncode == 0, completed.stderr
    return only_folder(logs / "cifar10_fast")


def checkpoint(folder: Path, name: str) -> dict:
    return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


def result(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def test_it_learns_and_tests_its_last_weights(whole: Path) -> None:
    ended = result(whole)
    assert (ended["status"], ended["steps"]) == ("finished", 30)
    assert set(ended["metrics"]) == {"train/loss", "train/accuracy", "test/loss", "test/accuracy"}
    assert ended["metrics"]["test/accuracy"] > 0.25  # chance is 0.1; measured with three seeds: 0.34 to 0.58
    best, last = (checkpoint(whole, name)["state_dict"] for name in ("best", "last"))
    assert all(torch.equal(value, last[name]) for name, value in best.items())


def test_the_whitening_learns_a_bias_for_three_epochs(whole: Path) -> None:
    assert checkpoint(whole, "previous")["global_step"] == 20
    optimizers = [checkpoint(whole, name)["optimizer_states"][0]["state"] for name in ("previous", "last")]
    before, after = (checkpoint(whole, name)["state_dict"] for name in ("previous", "last"))
    same = {name for name, value in before.items() if torch.equal(value, after[name])}
    assert same - {name for name in same if "metrics" in name} >= {"whiten.bias", "whiten.weight"}
    assert not same & {"head.weight", "groups.1.0.weight", "groups.1.2.bias"}
    assert len(optimizers[0]) == 14  # six filters, seven biases and the head


def test_it_goes_on_in_the_middle_of_an_epoch_to_the_same_bits(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (run / "checkpoints" / "previous.ckpt").replace(run / "checkpoints" / "last.ckpt")
    (run / "checkpoints" / "best.ckpt").unlink()
    (run / "result.json").write_text(json.dumps(result(run) | {"status": "running", "metrics": {}, "steps": 0}))
    completed = called("train", f"resume={run}")
    assert completed.returncode == 0, completed.stderr
    weights, unbroken = (checkpoint(folder, "last")["state_dict"] for folder in (run, whole))
    assert all(torch.equal(value, unbroken[name]) for name, value in weights.items())
    assert (run / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()
    assert result(run)["metrics"] == result(whole)["metrics"]


def test_evaluated_again_it_answers_the_same(whole: Path) -> None:
    assert called("evaluate", str(whole)).returncode == 0
    metrics = json.loads((whole / "evaluation.json").read_text())["metrics"]
    assert metrics == {name: value for name, value in result(whole)["metrics"].items() if name.startswith("test/")}


@pytest.mark.slow
def test_the_raw_loop_of_the_benchmark_trains_the_same_and_without_a_gpu_nothing_is_measured(tiny_cifar: Path) -> None:
    script = "python", "scripts/benchmarks/cifar10_record.py"
    if not torch.cuda.is_available():
        completed = command(*script)
        assert (completed.returncode, completed.stdout) == (0, "not measured: no GPU\n")
    short = "trainer.max_epochs=4", "trainer.check_val_every_n_epoch=4"
    completed = command(*script, "--device=cpu", "--runs=0", *SMALL, *short, LEYDEN_DATA_DIR=str(tiny_cifar))
    assert completed.returncode == 0, completed.stderr
    raw, trainer = re.findall(r"s ([\d.]+)%", completed.stdout)
    assert raw == trainer
