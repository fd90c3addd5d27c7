"""What `python train.py` leaves and prints."""

import csv
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from conftest import PROJECT, Completed, called, command, only_folder, train
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def result(folder: Path) -> dict[str, object]:
    return json.loads((folder / "result.json").read_text())


def test_the_run_folder_holds_what_was_promised(xor_run: tuple[Path, Completed]) -> None:
    folder, _ = xor_run
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", folder.name)
    files = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    names = {re.sub(r"tfevents.*", "tfevents", name) for name in files}
    names -= {
        "evaluation.json",
        "uncommitted.patch",
    }  # where it was evaluated since, and where the code was not committed
    assert names == {
        ".hydra/config.yaml",
        ".hydra/hydra.yaml",
        ".hydra/overrides.yaml",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "config.yaml",
        "events.out.tfevents",
        "figures/decision_surface.png",
        *(f"figures/decision_surface/epoch_{epoch:06}.png" for epoch in (1, 3, 10, 30, 100, 300)),
        "figures/loss_curve.png",
        "metrics.csv",
        "provenance.json",
        "result.json",
        "train.log",
    }


def test_the_result_says_how_it_ended(xor_run: tuple[Path, Completed]) -> None:
    found = result(xor_run[0])
    monitor, metrics = found["monitor"], found["metrics"]
    assert {
        key: found[key] for key in ("status", "steps", "epochs", "error", "best_checkpoint", "last_checkpoint")
    } == {
        "status": "finished",
        "steps": 4000,
        "epochs": 1000,
        "error": None,
        "best_checkpoint": "checkpoints/best.ckpt",
        "last_checkpoint": "checkpoints/last.ckpt",
    }
    assert (monitor["name"], monitor["mode"]) == ("val/loss", "min")
    assert monitor["value"] == metrics["test/loss"]  # XOR is validated and tested on the same four points
    assert metrics["test/accuracy"] == 1.0
    assert 0 < found["seconds"] < 600


def test_the_terminal_ends_with_the_metrics_the_known_answer_and_the_folder(xor_run: tuple[Path, Completed]) -> None:
    folder, completed = xor_run
    lines = completed.stdout.splitlines()
    assert "xor: training SimpleNet (17 parameters) on 1 x cpu" in lines
    assert re.fullmatch(r"test/accuracy +1 +1: as known *", lines[-3])
    assert re.fullmatch(r"1,000 epochs, 4,000 steps, [\d.]+ s; tested: checkpoints/best.ckpt", lines[-2])
    assert lines[-1].endswith(f"/xor/{folder.name}")
    assert "\x1b" not in completed.stdout
    assert completed.stderr == ""
    log = (folder / "train.log").read_text()
    assert [line for line in lines if line.rstrip() not in log] == []


def test_curves_are_the_same_in_tensorboard_and_in_the_table(xor_run: tuple[Path, Completed]) -> None:
    folder, _ = xor_run
    events = EventAccumulator(str(folder))
    events.Reload()
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name in ("train/loss", "val/loss", "val/accuracy"):
        curve = [(event.step, event.value) for event in events.Scalars(name)]
        assert curve == [(int(row["step"]), pytest.approx(float(row[name]))) for row in rows if row[name]]
        assert len(curve) == 100
    assert "hp_metric" not in events.Tags()["scalars"]


def test_checkpoints_load_as_plain_weights_in_a_process_that_knows_nothing_of_leyden(
    xor_run: tuple[Path, Completed], tmp_path: Path
) -> None:
    folder, _ = xor_run
    probe = (
        "import sys, torch\n"
        f"for name in ('best', 'last'):\n"
        f"    checkpoint = torch.load('{folder}/checkpoints/' + name + '.ckpt', weights_only=True)\n"
        "    print(sorted(checkpoint['state_dict']), checkpoint['hyper_parameters'])\n"
        "print([name for name in sys.modules if name.startswith(('leyden', 'lab', 'lightning'))])"
    )
    layers = "['layers.0.bias', 'layers.0.weight', 'layers.2.bias', 'layers.2.weight']"
    hyperparameters = "{'hidden_features': 4, 'hidden_activation': 'sigmoid'}"
    assert command("python", "-c", probe, cwd=tmp_path).stdout.splitlines() == [f"{layers} {hyperparameters}"] * 2 + [
        "[]"
    ]


def test_a_checkpoint_is_a_model_again_in_one_call(xor_run: tuple[Path, Completed]) -> None:
    from lab.models import SimpleNet

    model = SimpleNet.load_from_checkpoint(xor_run[0] / "checkpoints" / "best.ckpt")
    inputs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    assert (model(inputs) > 0.5).flatten().tolist() == [False, True, True, False]


def test_the_kept_config_is_resolved(xor_run: tuple[Path, Completed]) -> None:
    config = yaml.safe_load((xor_run[0] / "config.yaml").read_text())
    assert config["data"] == {"_target_": "lab.data.XORDataModule", "batch_size": 1, "seed": 0}
    assert config["callbacks"]["best"]["monitor"] == "val/loss"
    assert "${" not in (xor_run[0] / "config.yaml").read_text()


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_from_batches_twice_as_large(tmp_path: Path) -> None:
    """Each takes every other sample of an order that depends on seed and epoch alone, and gradients are averaged."""
    common = ["experiment=sine", "trainer.max_epochs=20", f"paths.log_dir={tmp_path}"]
    two = train(*common, "name=two", "trainer=ddp_cpu", "trainer.devices=2", "trainer.max_epochs=20")
    one = train(*common, "name=one", "data.batch_size=2")
    assert (two.returncode, two.stderr, one.returncode) == (0, "", 0)
    folders = only_folder(tmp_path / "two"), only_folder(tmp_path / "one")
    assert [result(folder)["steps"] for folder in folders] == [2000, 2000]
    weights = [torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for folder in folders]
    for name, value in weights[0].items():
        assert torch.allclose(value, weights[1][name], atol=1e-5)
    assert result(folders[0])["metrics"] == pytest.approx(result(folders[1])["metrics"], rel=1e-4)
    assert not (PROJECT / "train.log").exists()  # the second process writes nothing


def test_torchrun_starts_a_training_in_one_folder(tmp_path: Path) -> None:
    completed = command(
        *("torchrun", "--nproc_per_node", "2", "train.py", "experiment=xor", "trainer=ddp_cpu"),
        *("trainer.max_epochs=10", f"paths.log_dir={tmp_path}"),
    )
    assert completed.returncode == 0, completed.stderr
    folder = only_folder(tmp_path / "xor")
    assert (result(folder)["status"], result(folder)["steps"]) == ("finished", 20)


@pytest.mark.slow
def test_the_torchrun_script_trains_on_two_machines_as_on_one(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        machines = {"MASTER": f"localhost:{free.getsockname()[1]}", "NODES": "2", "PROCESSES": "1"}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **machines}
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # as in an activated environment
    words = ("experiment=xor", "trainer=ddp_cpu", "trainer.max_epochs=10")
    there = ["scripts/torchrun_ddp.sh", *words, "trainer.devices=1", f"paths.log_dir={tmp_path}/two"]
    agents = [subprocess.Popen(there, cwd=PROJECT, env=environment) for _ in range(2)]
    assert [agent.wait(300) for agent in agents] == [0, 0]
    completed = train(*words, f"paths.log_dir={tmp_path}/one")
    assert completed.returncode == 0, completed.stderr
    two, one = (only_folder(tmp_path / name / "xor") for name in ("two", "one"))
    assert (two / "metrics.csv").read_bytes() == (one / "metrics.csv").read_bytes()
    assert not (PROJECT / "train.log").exists()  # the second process writes nothing


@pytest.mark.slow
def test_a_job_of_a_sweep_trains_on_several_processes_as_a_run_of_its_own(tmp_path: Path) -> None:
    words = ("experiment=xor", "trainer=ddp_cpu", "trainer.max_epochs=10")
    beside = ("hydra/launcher=local", "launcher.workers=2")
    swept = train("-m", *words, "seed=1,2", *beside, f"paths.log_dir={tmp_path}/swept")
    assert swept.returncode == 0, swept.stdout + swept.stderr
    sweep = only_folder(tmp_path / "swept" / "xor" / "sweeps")
    for number, seed in enumerate((1, 2)):
        completed = train(*words, f"seed={seed}", f"paths.log_dir={tmp_path}/{seed}")
        assert completed.returncode == 0, completed.stderr
        alone = only_folder(tmp_path / str(seed) / "xor")
        assert (sweep / str(number) / "metrics.csv").read_bytes() == (alone / "metrics.csv").read_bytes()


def test_a_machine_that_has_srun_is_not_told_to_use_it(tmp_path: Path) -> None:
    srun = tmp_path / "srun"
    srun.write_text("#!/bin/sh\n")
    srun.chmod(0o755)
    completed = train(
        "experiment=xor", "debug=limit", f"paths.log_dir={tmp_path}/logs", PATH=f"{tmp_path}:{os.environ['PATH']}"
    )
    assert completed.returncode == 0, completed.stderr
    assert "is not used" not in completed.stdout + completed.stderr


def test_plain_lightning_classes_train_as_well(tmp_path: Path) -> None:
    completed = train(
        *(
            "model=simple_net",
            "model._target_=plain_lightning.PlainModel",
            "~model.hidden_features",
            "+model.features=2",
        ),
        *("~model.hidden_activation", "data._target_=plain_lightning.PlainData", "~data.seed", "name=plain"),
        "targets=[plain_lightning]",
        *("trainer.max_epochs=40", f"paths.log_dir={tmp_path}"),
        PYTHONPATH=str(PROJECT / "tests"),
    )
    assert completed.returncode == 0, completed.stderr
    found = result(only_folder(tmp_path / "plain"))
    assert found["status"] == "finished"
    assert found["metrics"]["test/loss"] < 1e-3
    assert found["monitor"]["value"] == pytest.approx(found["metrics"]["test/loss"])


PLAIN = (
    *("model=simple_net", "model._target_=plain_lightning.PlainModel", "~model.hidden_features", "+model.features=2"),
    *("~model.hidden_activation", "data._target_=plain_lightning.PlainData", "~data.seed", "targets=[plain_lightning]"),
)


def test_a_metric_that_a_plain_module_does_not_log_is_told_after_its_first_validation(tmp_path: Path) -> None:
    completed = called("train", *PLAIN, "monitor.metric=val/los", "name=plain", f"paths.log_dir={tmp_path}")
    assert (completed.returncode, completed.stderr) == (
        1,
        "error: monitor.metric=val/los: PlainModel logs no such metric, did you mean val/loss? "
        "(there are: train/loss, val/loss)\n",
    )
    found = result(only_folder(tmp_path / "plain"))
    assert (found["status"], found["epochs"]) == ("failed", 0)


def test_what_lightning_refuses_before_the_first_step_is_told_in_one_line(tmp_path: Path) -> None:
    completed = called("train", "experiment=xor", "+trainer.val_check_interval=100", f"paths.log_dir={tmp_path}")
    assert completed.returncode == 1
    assert completed.stderr.startswith("error: `val_check_interval` (100) must be less than or equal to the number of")
    assert completed.stderr.count("\n") == 1


def test_data_without_a_batch_is_no_training(tmp_path: Path) -> None:
    said = "error: data (Dropped): there is no training batch (32 samples, batch_size=64, drop_last=True)\n"
    words = *PLAIN, "data._target_=plain_lightning.Dropped", "data.batch_size=64", f"paths.log_dir={tmp_path}"
    completed = called("train", *words)
    assert (completed.returncode, completed.stderr) == (1, said)
    assert list(tmp_path.rglob("*.json")) == []


def test_a_validation_without_a_batch_is_said(tmp_path: Path) -> None:
    words = *PLAIN, "data._target_=plain_lightning.Unvalidated", "trainer.max_epochs=1", f"paths.log_dir={tmp_path}"
    completed = called("train", *words)
    assert completed.returncode == 0
    (log,) = tmp_path.rglob("train.log")
    assert "no validation: val has no batch\n" in log.read_text()


@pytest.mark.parametrize(("debug", "steps"), [("fast_dev_run", 1), ("overfit", 100), ("limit", 12), ("profiler", 4)])
def test_debug_runs_are_short(debug: str, steps: int, tmp_path: Path) -> None:
    completed = train("experiment=xor", f"debug={debug}", f"paths.log_dir={tmp_path}")
    assert completed.returncode == 0, completed.stderr
    folder = only_folder(tmp_path / "debug")
    assert result(folder)["steps"] == steps
    assert (folder / "fit-profile.txt").exists() == (debug == "profiler")


@pytest.mark.slow
def test_a_compiled_model_learns_the_same_and_is_saved_under_its_own_names(tmp_path: Path) -> None:
    common = ["experiment=xor", "trainer.max_epochs=10", f"paths.log_dir={tmp_path}"]
    for name, overrides in (("plain", []), ("compiled", ["compile=true"])):
        completed = train(*common, f"name={name}", *overrides)
        assert completed.returncode == 0, completed.stderr
    plain, compiled = (
        torch.load(only_folder(tmp_path / name) / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("plain", "compiled")
    )
    assert list(plain) == list(compiled)
    assert all(torch.allclose(plain[name], compiled[name], atol=1e-6) for name in plain)
