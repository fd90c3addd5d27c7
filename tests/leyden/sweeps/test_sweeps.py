"""Sweeps by their real commands: what they run, what they find, and how they go on."""

import csv
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from statistics import mean

import pytest
import yaml
from conftest import PROJECT, Completed, called, command, only_folder, started, train
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

SHORT = ("experiment=xor", "trainer.max_epochs=100", "checkpoint.every_n_steps=20")
POINTS = ("optimizer.lr=0.003,0.01", "seed=1,2")


def result(folder: Path) -> dict[str, object]:
    return json.loads((folder / "result.json").read_text())


def begun(sweep: Path) -> list[str]:
    return sorted(file.parent.name for file in sweep.glob("*/result.json"))


def curves(sweep: Path) -> dict[str, str]:
    return {file.parent.name: file.read_text() for file in sweep.glob("*/metrics.csv")}


def table(sweep: Path) -> list[dict[str, str]]:
    """sweep.csv without what differs from one time to the next."""
    with (sweep / "sweep.csv").open(newline="") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def hyperparameters(folder: Path) -> dict[str, object]:
    """What the HPARAMS tab shows of a run."""
    events = EventAccumulator(str(folder))
    events.Reload()
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    named = HParamsPluginData.FromString(content).session_start_info.hparams
    return {name: value.number_value or value.string_value for name, value in named.items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Completed]:
    """A sweep of four jobs that nothing has disturbed, and what it printed."""
    logs = tmp_path_factory.mktemp("logs")
    completed = train("-m", *SHORT, *POINTS, f"paths.log_dir={logs}")
    assert (completed.returncode, completed.stderr) == (0, "")
    return only_folder(logs / "xor" / "sweeps"), completed


def test_a_sweep_ends_with_a_table_and_its_files(whole: tuple[Path, Completed]) -> None:
    sweep, completed = whole
    lines = completed.stdout.splitlines()
    (header,) = (number for number, line in enumerate(lines) if line.startswith("optimizer.lr  val/loss"))
    best, second = (line.split() for line in lines[header + 1 : header + 3])
    values = [float(result(sweep / job)["monitor"]["value"]) for job in "0123"]
    assert (best[0], float(best[1])) == ("0.01", pytest.approx(mean(values[2:]), abs=float(best[3]) / 10))
    assert (second[0], float(second[1])) == ("0.003", pytest.approx(mean(values[:2]), abs=float(second[3]) / 10))
    seed = 1 if values[2] < values[3] else 2
    logs = f"paths.log_dir={sweep.parents[2]}"
    assert lines[-1] == f"python train.py {' '.join(SHORT)} optimizer.lr=0.01 seed={seed} {logs}"
    rows = json.loads((sweep / "sweep.json").read_text())["rows"]
    assert [row["mean"] for row in rows] == pytest.approx([mean(values[2:]), mean(values[:2])])
    assert "plotly" in (sweep / "sweep.html").read_text()
    assert hyperparameters(sweep / "2") == {"optimizer.lr": 0.01, "seed": 1}


def test_a_job_is_the_run_that_its_words_alone_would_be(whole: tuple[Path, Completed], tmp_path: Path) -> None:
    completed = train(*SHORT, "optimizer.lr=0.01", "seed=2", f"paths.log_dir={tmp_path}")
    assert completed.returncode == 0, completed.stderr
    alone = only_folder(tmp_path / "xor")
    assert (alone / "metrics.csv").read_text() == curves(whole[0])["3"]
    assert result(alone)["metrics"] == result(whole[0] / "3")["metrics"]
    assert hyperparameters(alone)["optimizer.lr"] == 0.01
    assert hyperparameters(alone)["trainer.precision"] == "32-true"


def wait_for(process: subprocess.Popen[str], logs: Path, pattern: str) -> None:
    while not list(logs.glob(pattern)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.mark.slow
def test_a_killed_sweep_goes_on_with_the_code_that_it_began_with(whole: tuple[Path, Completed], tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    shutil.copytree(PROJECT / "configs", project / "configs")
    for name in ("src", "train.py"):
        (project / name).symlink_to(PROJECT / name)
    process = started("-m", *SHORT, *POINTS, cwd=project)
    wait_for(process, project, "logs/xor/sweeps/*/1/checkpoints/last.ckpt")
    model = project / "configs" / "model" / "simple_net.yaml"
    model.write_text(model.read_text().replace("hidden_features: 4", "hidden_features: 5"))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    sweep = only_folder(project / "logs" / "xor" / "sweeps")
    assert begun(sweep) == ["0", "1"]
    name = sweep.relative_to(project)
    again = command("python", "train.py", "-m", f"sweep.resume={name}", cwd=project)
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith(f"the code has changed since {name} began: its jobs run as it was then, from ")
    assert "4 jobs, of which 1 are done" in again.stdout
    assert curves(sweep) == curves(whole[0])
    assert table(sweep) == table(whole[0])
    assert yaml.safe_load((sweep / "3" / "config.yaml").read_text())["model"]["hidden_features"] == 4
    before = {path: path.stat().st_mtime_ns for path in sweep.glob("*/*") if path.is_file()}
    once_more = command("python", "train.py", f"sweep.resume={name}", cwd=project)
    assert "4 jobs, of which 4 are done" in once_more.stdout
    assert once_more.stdout.count("the code has changed since") == 2  # before and after the jobs
    assert {path: path.stat().st_mtime_ns for path in sweep.glob("*/*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("limit", "statuses", "resumed"),
    [
        ("sweep.fail_fast=true", ["failed"], ["failed", "finished", "failed"]),
        ("sweep.max_failures=2", ["failed", "finished", "failed"], ["failed", "finished", "failed", "finished"]),
    ],
)
def test_a_sweep_stops_at_so_many_failures_and_says_what_it_has(
    limit: str, statuses: list[str], resumed: list[str], tmp_path: Path
) -> None:
    rates = "optimizer.lr=-1,0.1,-2,0.01"
    completed = train("-m", "experiment=xor", "trainer.max_epochs=10", rates, limit, f"paths.log_dir={tmp_path}")
    sweep = only_folder(tmp_path / "xor" / "sweeps")
    assert [result(sweep / job)["status"] for job in begun(sweep)] == statuses
    assert result(sweep / "0")["error"] == "optimizer (torch.optim.Adam): Invalid learning rate: -1"
    assert completed.returncode == 1
    failed = statuses.count("failed")
    name = os.path.relpath(sweep, PROJECT)
    again = f"python train.py sweep.resume={name} runs again what is not done"
    assert completed.stderr == f"error: {failed} job{'s' * (failed > 1)} failed; {again}\n"
    assert f"{name}/0: optimizer (torch.optim.Adam): Invalid learning rate: -1" in completed.stdout
    assert f"stopped by {limit}: resumed, the jobs that have not begun come first" in completed.stdout
    assert train(f"sweep.resume={sweep}").returncode == 1
    assert [result(sweep / job)["status"] for job in begun(sweep)] == resumed
    assert (sweep / "sweep.html").is_file()


@pytest.mark.parametrize(
    ("word", "message", "jobs"),
    [
        ("optimizer.lrr=1,2", "optimizer.lrr: no such group or key, did you mean optimizer.lr?", 0),
        ("model=simple_net,simple_nett", "model=simple_nett: no such option, did you mean simple_net?", 0),
        ("optimizer.lr=choice()", "optimizer.lr=choice(): there is no value to choose from", 0),
        ("optimizer.lr=interval(0,1)", "optimizer.lr=interval(0,1): an interval has no end of values", 0),
        ("--cfg=job", "--cfg: shows the config of one run, not of a sweep: leave -m out", 0),
        ("sweep.max_failures=0", "sweep.max_failures=0: must be a whole number above 0, or null", 0),
        ("resume=logs", "resume= goes on with one run: leave -m out", 0),
        ("trainer.check_val_every_n_epoch=99", "monitor.metric=val/loss was not logged by ", 1),
        ("monitor.metric=val/los", "monitor.metric=val/los was not logged by ", 1),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_at_once(word: str, message: str, jobs: int, tmp_path: Path) -> None:
    completed = train("-m", "experiment=xor", "trainer.max_epochs=10", "seed=1,2", word, f"paths.log_dir={tmp_path}")
    assert completed.returncode == 1
    assert completed.stderr.startswith(f"error: {message}")
    assert re.fullmatch(r"error: .*\n(try: python train\.py -m .*\n)?", completed.stderr)
    assert len(list(tmp_path.rglob("result.json"))) == jobs
    assert jobs or list(tmp_path.iterdir()) == []


def test_a_sweep_for_which_the_disk_has_no_room_leaves_nothing(small_disk: Path) -> None:
    completed = train("-m", "experiment=xor", "seed=1,2", f"paths.log_dir={small_disk}/logs")
    assert completed.returncode == 1
    assert "No space left on device" in completed.stderr
    assert completed.stderr.count("\n") == 1
    assert list((small_disk / "logs").iterdir()) == []


def test_a_folder_that_is_no_sweep_or_is_being_run(whole: tuple[Path, Completed]) -> None:
    assert called("train", "sweep.resume=src").stderr == (
        "error: sweep.resume=src: no sweep is there; it would hold a multirun.yaml\n"
    )
    with (whole[0] / "multirun.yaml").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        completed = train(f"sweep.resume={whole[0]}")
    assert completed.returncode == 1
    assert completed.stderr.endswith(" is being run by another process: one folder, one sweep\n")


def test_jobs_side_by_side_are_the_same_jobs(whole: tuple[Path, Completed], tmp_path: Path) -> None:
    completed = train("-m", *SHORT, *POINTS, "hydra/launcher=local", f"paths.log_dir={tmp_path}")
    assert completed.returncode == 0, completed.stderr
    sweep = only_folder(tmp_path / "xor" / "sweeps")
    assert curves(sweep) == curves(whole[0])
    assert table(sweep) == table(whole[0])


def test_told_to_stop_all_jobs_are_saved_and_go_on(tmp_path: Path) -> None:
    words = "experiment=xor", "trainer.max_epochs=100000", "seed=1,2,3", "hydra/launcher=local"
    process = started("-m", *words, "launcher.workers=2", f"paths.log_dir={tmp_path}")
    for job in "01":
        wait_for(process, tmp_path, f"xor/sweeps/*/{job}/events.*")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    sweep = only_folder(tmp_path / "xor" / "sweeps")
    assert process.returncode == 143
    assert errors == f"interrupted: python train.py sweep.resume={os.path.relpath(sweep, PROJECT)} goes on\n"
    assert begun(sweep) == ["0", "1"]


def test_a_worker_that_dies_takes_one_job_with_it(tmp_path: Path) -> None:
    """A job whose model kills its process stands for one that has taken all memory."""
    (tmp_path / "deadly.py").write_text(
        "import os, signal\nfrom lab.models import SimpleNet as Harmless\n"
        "class SimpleNet(Harmless):\n"
        "    def on_train_start(self):\n"
        "        if self.hparams.hidden_features == 3:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    words = "model._target_=deadly.SimpleNet", "targets=[lab,deadly]", "model.hidden_features=3,4,5", "seed=1"
    more = "trainer.max_epochs=10", "hydra/launcher=local", "launcher.workers=1", f"paths.log_dir={tmp_path}/logs"
    completed = train("-m", "experiment=xor", *words, *more, PYTHONPATH=str(tmp_path))
    sweep = only_folder(tmp_path / "logs" / "xor" / "sweeps")
    assert completed.returncode == 1
    assert "job 0 failed: its process has died (SIGKILL: out of memory, perhaps)" in completed.stdout
    assert [result(sweep / job)["status"] for job in "012"] == ["failed", "finished", "finished"]


@pytest.mark.slow
def test_fifty_jobs_in_one_process_leave_it_as_it_was(tmp_path: Path) -> None:
    count = f"+callbacks.count={{_target_:counting.Count,file:{tmp_path}/count}}"
    words = "experiment=xor", "seed=range(50)", "trainer.max_epochs=10", "targets=[lab,counting]", count
    completed = train("-m", *words, f"paths.log_dir={tmp_path}/logs", PYTHONPATH=str(PROJECT / "tests"))
    assert completed.returncode == 0, completed.stderr
    lines = (tmp_path / "count").read_text().splitlines()
    pages, *held = zip(*(map(int, line.split()[1:]) for line in lines), strict=True)
    assert len(pages) == 100
    assert pages[-1] < 1.05 * pages[1]
    assert [set(numbers[1:]) for numbers in held] == [{numbers[1]} for numbers in held]


def test_a_folder_of_any_name_and_words_that_need_quotes(tmp_path: Path) -> None:
    folder = tmp_path / "Dropbox (Uni), it's [mine]"
    words = "experiment=xor", "optimizer.lr=0.1,0.2", "trainer.max_epochs=10", "~logger", "name='x ${seed}'"
    completed = train("-m", *words, f"paths.log_dir='{str(folder).replace(chr(39), chr(92) + chr(39))}'")
    assert completed.returncode == 0, completed.stderr
    sweep = only_folder(folder / "x 0" / "sweeps")
    assert [result(sweep / job)["status"] for job in begun(sweep)] == ["finished"] * 2
    again = train(f"sweep.resume={sweep}")
    assert again.returncode == 0, again.stderr
    assert "2 jobs, of which 2 are done" in again.stdout


def test_a_job_that_another_process_still_trains_is_left_alone(whole: tuple[Path, Completed], tmp_path: Path) -> None:
    """As a worker does whose sweep alone was killed."""
    sweep = tmp_path / "sweep"
    shutil.copytree(whole[0], sweep)
    unfinished = result(sweep / "2") | {"status": "running"}
    (sweep / "2" / "result.json").write_text(json.dumps(unfinished))
    with (sweep / "2" / "train.log").open("a") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        completed = train(f"sweep.resume={sweep}")
    assert completed.returncode == 0, completed.stderr
    assert "job 2 is left alone: another process trains it" in completed.stdout
    assert result(sweep / "2") == unfinished


def test_a_sweep_goes_on_under_another_launcher_and_other_configs_are_refused(tmp_path: Path) -> None:
    words = "experiment=xor", "seed=1,2", "trainer.max_epochs=10", "hydra/launcher=local", "hydra.launcher.workers=1"
    completed = train("-m", *words, f"paths.log_dir={tmp_path}")
    assert completed.returncode == 0, completed.stderr
    sweep = only_folder(tmp_path / "xor" / "sweeps")
    again = train(f"sweep.resume={sweep}", "hydra/launcher=basic")
    assert again.returncode == 0, again.stderr
    assert called("train", f"sweep.resume={sweep}", "seed=3").stderr.startswith("error: seed=3: would make other jobs ")
    assert called("train", "-m", "--config-name=other", "seed=1,2").stderr == (
        "error: --config-name=other: a sweep runs configs/train.yaml of its project, and no other config\n"
    )
