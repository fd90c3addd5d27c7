"""Every shipped config composes and trains; those of one kind also in every combination that makes sense."""

import json
from pathlib import Path

import pytest
import yaml
from conftest import CONFIGS, EXPERIMENTS, only_folder, train


def options(group: str) -> list[str]:
    return sorted(file.stem for file in (CONFIGS / group).glob("*.yaml"))


def jobs(logs: Path) -> list[dict[str, object]]:
    """The results of all jobs of the one sweep under `logs`."""
    return [json.loads(file.read_text()) for file in logs.glob("**/sweeps/*/*/result.json")]


def test_every_experiment_trains_two_steps_and_states_what_is_known(tmp_path: Path, tiny_cifar: Path) -> None:
    completed = train(
        *("-m", f"experiment={','.join(EXPERIMENTS)}", "trainer.max_epochs=1", "trainer.check_val_every_n_epoch=1"),
        *("+trainer.limit_train_batches=2", "data.batch_size=2", "trainer.precision=32-true"),
        *(f"hydra.sweep.dir={tmp_path}/sweeps/all", f"paths.data_dir={tiny_cifar}"),
    )
    assert completed.returncode == 0, completed.stderr
    results = jobs(tmp_path)
    assert [(result["status"], result["steps"]) for result in results] == [("finished", 2)] * len(EXPERIMENTS)
    known = [yaml.safe_load(file.read_text())["expected"] for file in tmp_path.glob("sweeps/*/*/config.yaml")]
    reported = [set(result["metrics"]) for result in results]
    assert all(ranges and set(ranges) <= names for ranges, names in zip(known, reported, strict=True))


@pytest.mark.parametrize("experiment", ["xor", pytest.param("sine", marks=pytest.mark.slow)])
def test_every_optimizer_trains_with_every_scheduler(experiment: str, tmp_path: Path) -> None:
    optimizers, schedulers = options("optimizer"), options("scheduler")
    completed = train(
        *("-m", f"experiment={experiment}", f"optimizer={','.join(optimizers)}", f"scheduler={','.join(schedulers)}"),
        *(
            "trainer.max_epochs=2",
            "trainer.check_val_every_n_epoch=1",
            "data.batch_size=50",
            f"paths.log_dir={tmp_path}",
        ),
    )
    assert completed.returncode == 0, completed.stderr
    assert [result["status"] for result in jobs(tmp_path)] == ["finished"] * len(optimizers) * len(schedulers)


@pytest.mark.parametrize("group", ["callbacks", "logger"])
def test_every_option_of_what_watches_and_writes_trains(group: str, tmp_path: Path) -> None:
    completed = train(
        "-m",
        "experiment=xor",
        f"{group}={','.join(options(group))}",
        "trainer.max_epochs=10",
        f"paths.log_dir={tmp_path}",
    )
    assert completed.returncode == 0, completed.stderr
    assert [result["status"] for result in jobs(tmp_path)] == ["finished"] * len(options(group))


@pytest.mark.parametrize(("trainer", "expected"), [
    ("cpu", {"accelerator": "cpu", "devices": 1}),
    ("gpu", {"accelerator": "gpu", "devices": 1}),
    ("auto", {"accelerator": "auto", "devices": 1}),
    ("ddp", {"accelerator": "gpu", "devices": "auto", "strategy": "ddp"}),
    ("ddp_cpu", {"accelerator": "cpu", "devices": 2, "strategy": "ddp"}),
    ("debug", {"accelerator": "cpu", "detect_anomaly": True}),
])  # fmt: skip
def test_trainers_compose_to_what_their_names_say(trainer: str, expected: dict[str, object]) -> None:
    composed = yaml.safe_load(train("experiment=xor", f"trainer={trainer}", "--cfg", "job").stdout)["trainer"]
    assert {key: composed.get(key) for key in expected} == expected


def test_what_a_trainer_can_do_is_an_override_away(tmp_path: Path) -> None:
    completed = train(
        *("experiment=xor", "trainer.max_epochs=4", "trainer.precision=bf16-mixed", "trainer.gradient_clip_val=0.5"),
        *("trainer.accumulate_grad_batches=2", "trainer.deterministic=true", f"paths.log_dir={tmp_path}"),
    )
    assert completed.returncode == 0, completed.stderr
    assert json.loads((only_folder(tmp_path / "xor") / "result.json").read_text())["steps"] == 8


def test_settings_of_ones_own_are_read_where_they_are(tmp_path: Path) -> None:
    """`configs/local/default.yaml` is git-ignored; here it comes from a second folder of configs."""
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "default.yaml").write_text("# @package _global_\nseed: 7\n")
    composed = yaml.safe_load(train("experiment=xor", "--config-dir", str(tmp_path), "--cfg", "job").stdout)
    assert composed["seed"] == 7
