"""`population=K` trains K seeds as one computation, and each comes to what it would have come to alone."""

import csv
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from conftest import called, only_folder

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
