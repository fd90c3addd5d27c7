"""`leyden check`, on the project as it is and on copies with a mistake in them."""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from conftest import EXPERIMENTS, PROJECT, called, command, leyden

NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}
EXTRAS = [find_spec(package) is not None for package in ("mlflow", "wandb")]
LOGGERS = f"{4 + sum(EXTRAS) + all(EXTRAS)} of 7"  # with both there is `many`, too


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the configs, of the sine experiments alone."""
    shutil.copytree(PROJECT / "configs", tmp_path / "configs")
    for file in (tmp_path / "configs" / "experiment").glob("*.yaml"):
        if file.stem != "sine":
            file.unlink()
    return tmp_path


def mistake(project: Path, name: str, text: str) -> None:
    (project / "configs" / "experiment" / f"{name}.yaml").write_text(
        f"# @package _global_\ndefaults: [sine, _self_]\n{text}"
    )


def test_all_that_is_shipped_is_without_fault(tiny_cifar: Path) -> None:
    completed = leyden("check", LEYDEN_DATA_DIR=str(tiny_cifar), **NO_GPU)
    assert (completed.returncode, completed.stderr) == (0, "")
    rows = [line.split() for line in completed.stdout.splitlines()]
    assert rows[0] == ["experiment", "alone", "optimizer", "scheduler", "trainer", "callbacks", "logger"]
    assert [(row[0], row[1]) for row in rows[1 : 1 + len(EXPERIMENTS)]] == [(name, "ok") for name in EXPERIMENTS]
    assert " ".join(rows[1 + EXPERIMENTS.index("xor")]) == f"xor ok 4 of 4 6 of 6 5 of 7 4 of 4 {LOGGERS}"
    assert " ".join(rows[2 + len(EXPERIMENTS)]) == "(no experiment) ok 3 of 3 3 of 3 5 of 5 4 of 4"
    said = completed.stdout.splitlines()[3 + len(EXPERIMENTS) :]
    assert said[0] == "skipped: trainer=ddp, trainer=gpu: torch finds no GPU on this machine"
    assert [
        line for line in said[1:] if "pip install 'leyden[" not in line and not line.startswith("does not fit: cifar10")
    ] == []
    steps = "cifar10_fast scheduler=onecycle, cifar10_fast scheduler=plateau, cifar10_fast scheduler=step"
    assert f"does not fit: {steps}: sets scheduler.warmup" in said


def test_one_experiment_takes_a_step(tmp_path: Path) -> None:
    completed = leyden("check", "experiment=xor", "steps=1", **NO_GPU)
    assert (completed.returncode, completed.stderr) == (0, "")
    assert " ".join(completed.stdout.splitlines()[1].split()) == f"xor ok 4 of 4 6 of 6 5 of 7 4 of 4 {LOGGERS}"


def test_looking_at_all_loggers_leaves_nothing(project: Path) -> None:
    completed = command("leyden", "check", "experiment=sine", cwd=project, **NO_GPU)
    assert (completed.returncode, completed.stderr) == (0, "")
    assert sorted(path.name for path in project.rglob("*") if not path.is_relative_to(project / "configs")) == []


def test_data_that_is_not_there_is_no_fault(tmp_path: Path) -> None:
    completed = leyden("check", "experiment=cifar10", LEYDEN_DATA_DIR=str(tmp_path), **NO_GPU)
    assert (completed.returncode, completed.stderr) == (0, "")
    missing = f"its data is not there (No such file or directory: {tmp_path}/cifar10.safetensors)"
    assert completed.stdout.splitlines()[2] == f"skipped: cifar10: {missing}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "said"), [
    ("optimizer: {lr: fast}\nmodel: {hiden_sizes: [3]}\n",
     "fault: bad: model.hiden_sizes (configs/experiment/bad.yaml:4): lab.models.MLPRegressor has no such argument, did "
     "you mean hidden_sizes? (there are: hidden_sizes, activation)\nfault: bad: optimizer.lr='fast' "
     "(configs/experiment/bad.yaml:3): must be float"),
    ("monitor: {metric: val/acc}\n",
     "fault: bad: monitor.metric=val/acc: MLPRegressor logs no such metric in training (there are: train/loss, "
     "train/mse, val/loss, val/mse)"),
    ("trainer: {max_epochs: 5}\nmax_epoch: 5\nmonitor: {patience: 3}\n",
     "fault: bad: monitor.patience=3 (configs/experiment/bad.yaml:5): nothing reads it\nfault: bad: max_epoch=5 "
     "(configs/experiment/bad.yaml:4): nothing reads it, did you mean trainer.max_epochs?"),
    ("scheduler: {_target_: torch.optim.lr_scheduler.OneCycleLR, _partial_: true, max_lr: 0.1, total_steps: 150_000}\n",
     "fault: bad: scheduler.total_steps=150000: the training takes 200000 steps, and OneCycleLR refuses one more than "
     "it was told; leave total_steps (or epochs and steps_per_epoch) out, and it is told"),
    ("scheduler: {_target_: torch.optim.lr_scheduler.OneCycleLR, _partial_: true, max_lr: 0.1, epochs: 5, "
     "steps_per_epoch: 3}\n",
     "fault: bad: scheduler.total_steps=15: the training takes 200000 steps, and OneCycleLR refuses one more than it "
     "was told; leave total_steps (or epochs and steps_per_epoch) out, and it is told"),
    ("scheduler: {_target_: torch.optim.lr_scheduler.StepLR, _partial_: true, step_size: 0}\n",
     "fault: bad: scheduler.step_size=0: must be 1 or more"),
    ("trainer: {accumulate_grad_batches: 0}\n", "fault: bad: trainer.accumulate_grad_batches=0: must be 1 or more"),
    ("expected: {test/mse_: [0, 1]}\n",
     "fault: bad: expected.test/mse_: MLPRegressor logs no such metric, did you mean test/mse? (there are: test/loss, "
     "test/mse, test/mse_noiseless, train/loss, train/mse, val/loss, val/mse)"),
    ("expected: {test/mse: [1, 0]}\n",
     "fault: bad: expected.test/mse=[1, 0] (configs/experiment/bad.yaml:3): the lowest comes first: [0, 1]"),
    ("optimizer: {lr: -1}\n", "fault: bad: optimizer (torch.optim.SGD): Invalid learning rate: -1"),
])  # fmt: skip
def test_a_fault_is_told_and_ends_with_status_1(text: str, said: str, project: Path) -> None:
    mistake(project, "bad", text)
    completed = command("leyden", "check", "experiment=bad", cwd=project, **NO_GPU)
    assert completed.returncode == 1
    faults = [line for line in completed.stdout.splitlines() if line.startswith("fault: bad:")]
    assert faults == said.splitlines()
    assert completed.stderr == "error: 1 of 1 would not train\n"
    assert sorted(path.name for path in project.iterdir()) == ["configs"]


def test_a_file_that_cannot_be_read_is_told_with_its_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mistake(project, "bad", "trainer:\n\tmax_epochs: 5\n")
    monkeypatch.chdir(project)
    completed = called("check", "experiment=bad")
    assert (completed.returncode, completed.stderr) == (1, "error: 1 of 1 would not train\n")
    assert completed.stdout.endswith("\nfault: bad: configs/experiment/bad.yaml:4: a tab where YAML wants spaces\n")


def test_data_that_does_not_fit_is_told(project: Path) -> None:
    (project / "configs" / "experiment" / "bad.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /data: noisy_sine\n"
    )
    completed = command("leyden", "check", "experiment=bad", cwd=project, **NO_GPU)
    assert completed.returncode == 1
    assert (
        "\nfault: bad: model (SimpleNet) and data (NoisySineDataModule) do not fit: inputs [N, 1] (" in completed.stdout
    )


def test_an_experiment_that_is_not_there() -> None:
    assert leyden("check", "experiment=xorr").stderr == "error: experiment=xorr: no such option, did you mean xor?\n"


def test_steps_are_counted_from_0() -> None:
    assert called("check", "steps=-1").stderr == "error: steps=-1: must be 0 or more\n"


def test_hooks_need_no_network_and_look_where_something_can_break() -> None:
    (repository,) = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"]
    format_, style, check = repository["hooks"]
    assert (repository["repo"], {hook["language"] for hook in repository["hooks"]}) == ("local", {"system"})
    assert (format_["entry"], style["entry"]) == ("ruff format --force-exclude", "ruff check --force-exclude")
    assert check["entry"] == "leyden check"
    names = ["configs/train.yaml", "src/lab/models/mlp.py", "README.md", "tests/src/test.py"]
    assert [name for name in names if re.search(check["files"], name)] == names[:2]
