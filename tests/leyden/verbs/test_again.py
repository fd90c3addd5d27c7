"""A run goes on, and a run is run again: `resume=`, `rerun=` and `init_from=`."""

import csv
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from conftest import PROJECT, called, command, only_folder, train
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def result(folder: Path) -> dict[str, object]:
    return json.loads((folder / "result.json").read_text())


def weights(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]


def curve(folder: Path, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def trained(logs: Path, name: str, *overrides: str) -> Path:
    completed = train(*overrides, f"name={name}", f"paths.log_dir={logs}")
    assert completed.returncode == 0, completed.stderr
    return only_folder(logs / name)


@pytest.fixture(scope="module")
def xor_40(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(
        tmp_path_factory.mktemp("logs"), "whole", "experiment=xor", "trainer.max_epochs=40", "scheduler=linear"
    )


def test_a_resumed_run_is_one_run(xor_40: Path, tmp_path: Path) -> None:
    """Stopped after 20 epochs of 40, as the last checkpoint of that moment says."""
    part = trained(tmp_path, "part", "experiment=xor", "trainer.max_epochs=20")
    completed = train(f"resume={part}", "trainer.max_epochs=40")
    assert completed.returncode == 0, completed.stderr
    whole = trained(tmp_path, "whole", "experiment=xor", "trainer.max_epochs=40")
    assert (part / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()
    assert curve(part, "val/loss") == curve(whole, "val/loss")
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(part).items())
    ended, expected = result(part), result(whole)
    for key in ("status", "steps", "epochs", "metrics", "monitor"):
        assert ended[key] == expected[key]
    assert (part / "train.log").read_text().count("training SimpleNet") == 2
    again = train(f"resume={part}")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.endswith(" is finished (40 epochs): nothing to do; trainer.max_epochs=... trains on\n")


def test_a_resume_that_does_not_fit_changes_nothing(xor_40: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(xor_40, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "train.log"}
    for word, message in {
        "trainer.max_epochs=x": "trainer.max_epochs='x' (on the command line): must be int",
        "trainer.check_val_every_n_epoch=0": "trainer.check_val_every_n_epoch=0: must be 1 or more",
        "rerun=logs": "resume= goes on with a run, rerun= runs it again in a new folder: leave one of them out",
        "trainer.max_epoch=50": "trainer.max_epoch=50: the run's config has no such key, did you mean trainer.max_",
        "model.hidden_features=x": "model.hidden_features='x' (on the command line): must be int",
        "model.hidden_features=9": f"model.hidden_features=9: the run has 4; {folder}/checkpoints/last.ckpt is a che",
        "optimizer.lr=-1": "optimizer (torch.optim.Adam): Invalid learning rate: -1",
        "optimizer=sgd": "optimizer: the run was trained with torch.optim.Adam, and torch.optim.SGD cannot go on from",
        "scheduler=step": "scheduler: the run was trained with leyden.training.schedulers.linear, and torch.optim.lr_",
        "checkpoint=x": "checkpoint=x: checkpoint is no group with options, but holds keys: set one of them",
        "checkpoint.every_n_steps=0": "callbacks.last (leyden.training.callbacks.LastCheckpoint): every_n_steps must",
        "guard=maybe": "guard='maybe' (on the command line): must be one of 'on', 'off' or bool",
        "trainer.accelerator=gpu": "trainer.accelerator=gpu (on the command line): torch finds no GPU on this machine",
    }.items():
        completed = called("train", f"resume={folder}", "trainer.max_epochs=60", word)
        assert completed.returncode == 1
        assert completed.stderr.startswith(f"error: {message}")
    shutil.rmtree(folder / "checkpoints")
    completed = called("train", f"resume={folder}", "trainer.max_epochs=60")
    assert completed.stderr.endswith("run has lost its checkpoints: there is nothing to go on from\n")
    assert all(path.read_bytes() == content for path, content in before.items() if path.exists())


def test_a_finished_run_does_not_take_another_model(xor_40: Path) -> None:
    completed = called("train", f"resume={xor_40}", "model.hidden_features=9")
    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr.startswith(
        "error: model.hidden_features=9: the run has 4, and is finished: a model does not "
    )
    assert " begins another with its weights (strict=false: with those that fit)\n" in completed.stderr
    completed = called("train", f"resume={xor_40}", "model.hidden_features=4")
    assert completed.stdout.endswith(" is finished (40 epochs): nothing to do; trainer.max_epochs=... trains on\n")


def test_a_rerun_has_the_same_numbers_in_a_new_folder_and_takes_overrides(xor_40: Path) -> None:
    logs = xor_40.parent
    completed = train(f"rerun={xor_40}")
    assert completed.returncode == 0, completed.stderr
    assert "not as in" not in completed.stdout
    (again,) = set(logs.iterdir()) - {xor_40}
    assert (again / "metrics.csv").read_text() == (xor_40 / "metrics.csv").read_text()
    assert all(torch.equal(value, weights(xor_40)[name]) for name, value in weights(again).items())
    other = only_folder_after(logs, lambda: train(f"rerun={xor_40}", "seed=1", "trainer.max_epochs=20"))
    assert result(other)["epochs"] == 20
    assert (other / "metrics.csv").read_text() != (xor_40 / "metrics.csv").read_text()


def only_folder_after(parent: Path, act: object) -> Path:
    before = set(parent.iterdir())
    completed = act()
    assert completed.returncode == 0, completed.stderr
    (new,) = set(parent.iterdir()) - before
    return new


def test_a_rerun_says_what_differs_and_goes_on(xor_40: Path, tmp_path: Path) -> None:
    first = tmp_path / "run"
    shutil.copytree(xor_40, first)
    facts = json.loads((first / "provenance.json").read_text())
    facts["packages"]["torch"] = "1.0"
    facts["data"] = "other"
    (first / "provenance.json").write_text(json.dumps(facts))
    completed = train(f"rerun={first}", f"paths.log_dir={tmp_path}/logs")
    assert completed.returncode == 0, completed.stderr
    assert f"package torch: 1.0 then, {torch.__version__.split('+')[0]} now" in completed.stdout
    assert "data: other then, " in completed.stdout


@pytest.fixture
def copy(xor_40: Path, tmp_path: Path) -> Path:
    shutil.copytree(xor_40, tmp_path / "run")
    return tmp_path / "run"


KILLED_AT_STEP = """
import os
from pathlib import Path
from leyden.cli import main
from leyden.training.callbacks import Progress
def die(self, trainer, *arguments):
    if trainer.global_step == {step}:
        os._exit(9)
Progress.on_train_batch_end = die
main(['train', *{words}], project=Path('.'))
"""


def last_rate(folder: Path) -> float:
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return float(checkpoint["optimizer_states"][0]["param_groups"][0]["lr"])


def test_a_resumed_run_takes_another_learning_rate(copy: Path) -> None:
    words = f"resume={copy}", "scheduler=none", "optimizer.lr=0.003", "trainer.max_epochs=100000"
    script = KILLED_AT_STEP.format(step=170, words=words)  # the rate is asked for, but no checkpoint has it yet
    assert command("python", "-c", script).returncode == 9
    assert last_rate(copy) != 0.003
    for epochs, more, rate in (45, [], 0.003), (50, ["optimizer.lr=0.01"], 0.01):
        completed = called("train", f"resume={copy}", f"trainer.max_epochs={epochs}", *more)
        assert completed.returncode == 0, completed.stderr
        assert last_rate(copy) == rate


def test_what_was_edited_in_the_config_of_a_run_counts(copy: Path) -> None:
    config = copy / "config.yaml"
    text = config.read_text().replace("max_epochs: 40", "max_epochs: 50")
    config.write_text(re.sub(r"  progress:\n.*\n", "", text))
    completed = called("train", f"resume={copy}", "trainer.check_val_every_n_epoch=5")
    assert completed.returncode == 0, completed.stderr
    assert result(copy)["epochs"] == 50
    assert "progress" not in config.read_text()
    assert f"dirpath: {copy}/checkpoints" in config.read_text()


def test_a_run_that_hydra_kept_no_record_of_goes_on(copy: Path) -> None:
    shutil.rmtree(copy / ".hydra")
    completed = called("train", f"resume={copy}", "trainer.max_epochs=41")
    assert completed.returncode == 0, completed.stderr
    assert (result(copy)["status"], result(copy)["epochs"]) == ("finished", 41)


def test_a_run_that_is_kept_elsewhere_goes_on_from_anywhere(copy: Path, tmp_path: Path) -> None:
    words = str(PROJECT / "train.py"), "resume=run", "trainer.max_epochs=41"
    completed = command("python", *words, cwd=tmp_path)
    assert completed.returncode == 0, completed.stderr
    assert result(copy)["epochs"] == 41


def test_a_schedule_that_cannot_be_stretched_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    folder = trained(tmp_path, "one", "experiment=xor", "trainer.max_epochs=10", "scheduler=onecycle")
    before = (folder / "result.json").read_text()
    completed = called("train", f"resume={folder}", "trainer.max_epochs=20")
    assert completed.returncode == 1
    assert completed.stderr.startswith(
        "error: scheduler: OneCycleLR was made for 40 steps, and cannot be stretched to 80; scheduler=none trains on"
    )
    assert (folder / "result.json").read_text() == before
    assert "max_epochs: 10" in (folder / "config.yaml").read_text()


def test_initial_weights_are_those_of_the_run_and_the_optimizer_is_fresh(xor_40: Path, tmp_path: Path) -> None:
    folder = trained(
        tmp_path, "init", "experiment=xor", f"init_from={xor_40}", "optimizer.lr=0.0", "trainer.max_epochs=10"
    )
    assert all(torch.equal(value, weights(xor_40, "best")[name]) for name, value in weights(folder).items())
    completed = called(
        "train", "experiment=xor", f"init_from={xor_40}", "model.hidden_features=5", f"paths.log_dir={tmp_path}/no"
    )
    assert completed.stderr == (
        f"error: init_from={xor_40}: these layers do not match: layers.0.bias, layers.0.weight, layers.2.weight; "
        "strict=false leaves them as they are\n"
    )
    assert list((tmp_path / "no").iterdir()) == []


def test_a_run_that_was_moved_goes_on_with_the_best_value_that_it_had(xor_40: Path, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(xor_40, folder)
    completed = called("train", f"resume={folder}", "trainer.max_epochs=50", "optimizer.lr=0.0", "scheduler=none")
    assert completed.returncode == 0, completed.stderr
    assert result(folder)["epochs"] == 50
    assert result(folder)["monitor"]["value"] <= result(xor_40)["monitor"]["value"]
    assert len(list(folder.glob("events.out.tfevents.*"))) == 2
    assert len(list(xor_40.glob("events.out.tfevents.*"))) == 1
    assert f"dirpath: {folder}/checkpoints" in (folder / "config.yaml").read_text()
    assert "trainer.max_epochs=50" in (folder / ".hydra" / "overrides.yaml").read_text()


def test_a_sweep_into_a_folder_that_is_taken_leaves_it_alone(tmp_path: Path) -> None:
    for _ in range(2):
        completed = train(
            *("-m", "experiment=xor", "seed=1,2", "trainer.max_epochs=10", f"hydra.sweep.dir='{tmp_path}/a sweep'")
        )
        assert completed.returncode == 0, completed.stderr
    jobs = sorted(str(file.parent.relative_to(tmp_path)) for file in tmp_path.glob("*/*/result.json"))
    assert jobs == ["a sweep-2/0", "a sweep-2/1", "a sweep/0", "a sweep/1"]


def test_a_run_that_goes_on_takes_no_experiment(xor_40: Path) -> None:
    assert called("train", f"resume={xor_40}", "experiment=xor").stderr == (
        f"error: experiment=xor: {os.path.relpath(xor_40)} has its config already: leave experiment out\n"
    )


def test_runs_are_listed_filtered_and_sorted(xor_40: Path, sine_run: Path) -> None:
    listed = called("runs", str(xor_40), str(sine_run)).stdout
    assert [name for name in ("whole", "sine", "finished", "val/loss", "2 runs") if name not in listed] == []
    assert called("runs", str(xor_40), str(sine_run), "optimizer.lr=1e-3").stdout.endswith("1 runs\n")
    assert called("runs", str(xor_40), str(sine_run), "experiment=sine").stdout.endswith("1 runs\n")
    assert str(xor_40) in listed
    assert called("runs", str(xor_40), "seed=5").stderr.endswith("no run is there that fits\n")
    assert called("runs", str(xor_40), "model.hiden_features=8").stderr.endswith(
        "no run is there that fits; none has a key model.hiden_features, did you mean model.hidden_features?\n"
    )


def test_runs_are_listed_by_status_which_its_help_names(xor_40: Path) -> None:
    assert called("runs", str(xor_40), "status=finished").stdout.endswith("1 runs\n")
    assert called("runs", str(xor_40), "status=killed").stderr.endswith("no run is there that fits\n")
    assert "running, finished, failed, interrupted, pruned, killed (not set)" in called("runs", "--help").stdout


def test_a_thousand_runs_are_listed_and_a_damaged_one_is_named(xor_40: Path, tmp_path: Path) -> None:
    for number in range(1000):
        folder = tmp_path / f"{number:04}"
        folder.mkdir()
        os.link(xor_40 / "config.yaml", folder / "config.yaml")
        (folder / ".hydra").mkdir()
        os.link(xor_40 / ".hydra" / "overrides.yaml", folder / ".hydra" / "overrides.yaml")
        found = result(xor_40) | {"monitor": {"name": "val/loss", "mode": "min", "value": number / 1000}}
        (folder / "result.json").write_text(json.dumps(found))
    (tmp_path / "0500" / "result.json").write_text("{")
    (tmp_path / "0501" / "result.json").write_text(json.dumps(found | {"format": 9}))
    from leyden.verbs.runs import runs

    best_first = runs(str(tmp_path), sort="value")
    assert [run["folder"] for run in best_first[:2]] == [f"{tmp_path}/0000", f"{tmp_path}/0001"]
    assert [run["folder"] for run in best_first if run["status"] == "damaged"] == [f"{tmp_path}/0500"]
    assert [run["folder"] for run in best_first if run["status"] == "format 9"] == [f"{tmp_path}/0501"]
    assert len(runs(str(tmp_path), **{"model.hidden_features": "4"})) == 1000


def test_two_runs_are_set_side_by_side(xor_40: Path, sine_run: Path) -> None:
    lines = [" ".join(line.split()) for line in called("diff", str(xor_40), str(sine_run)).stdout.splitlines()]
    assert "optimizer.lr 0.01 0.001" in lines
    assert "trainer.max_epochs 40 20" in lines
    assert not [line for line in lines if line.startswith("threads")]
    assert [line for line in lines if line.startswith("data: ")]
    same = called("diff", str(xor_40), str(xor_40)).stdout
    assert same.startswith("config: the same\n\ncode, packages and data: the same\n")


LAUNCHES = """
import os, sys
from pathlib import Path
import leyden.verbs.train
from leyden.cli import main
children = []
for number in range(50):
    child = os.fork()
    if not child:
        overrides = ["experiment=xor", "trainer.max_epochs=1", "trainer.check_val_every_n_epoch=1"]
        main(["train", *overrides, f"paths.log_dir={sys.argv[1]}"], project=Path("."))
        os._exit(0)
    children.append(child)
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children].count(0))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs os.fork")
def test_fifty_runs_launched_at_once_leave_fifty_complete_folders(tmp_path: Path) -> None:
    """Forked from one process that has imported everything, so that they truly start together."""
    completed = command("python", "-c", LAUNCHES, str(tmp_path))
    assert completed.stdout.splitlines()[-1] == "50", completed.stderr
    folders = list((tmp_path / "xor").iterdir())
    assert len(folders) == 50
    assert [result(folder)["status"] for folder in folders] == ["finished"] * 50
    for folder in folders:
        with (folder / "metrics.csv").open(newline="") as file:
            assert len(list(csv.DictReader(file))) == 2
        assert (folder / "checkpoints" / "last.ckpt").is_file()
    assert PROJECT.is_dir()
