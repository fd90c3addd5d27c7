"""Runs that are told to stop, killed, damaged, locked, deleted, or left without a disk."""

import fcntl
import json
import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import PROJECT, called, command, only_folder, started, train

from leyden.runs.folder import RunFolder
from leyden.runs.record import answer
from leyden.runs.slurm import requeue

SHORT = ("experiment=xor", "trainer.max_epochs=20", "checkpoint.every_n_steps=15")


def result(folder: Path) -> dict[str, object]:
    return json.loads((folder / "result.json").read_text())


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def assert_same(folder: Path, whole: Path) -> None:
    assert (folder / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(folder).items())
    assert result(folder)["metrics"] == result(whole)["metrics"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two checkpoints: last.ckpt of its end, previous.ckpt of step 75."""
    logs = tmp_path_factory.mktemp("logs")
    completed = called("train", *SHORT, f"paths.log_dir={logs}")
    assert completed.returncode == 0, completed.stderr
    return only_folder(logs / "xor")


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


def unfinished(folder: Path) -> None:
    (folder / "result.json").write_text(json.dumps(result(folder) | {"status": "running", "metrics": {}, "steps": 0}))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_told_to_stop_it_saves_and_says_how_it_goes_on(number: signal.Signals, tmp_path: Path) -> None:
    soon = "+callbacks.progress.plain_seconds=0.1"
    process = started("experiment=xor", "trainer.max_epochs=100000", soon, f"paths.log_dir={tmp_path}")
    assert process.stdout is not None
    while "epoch " not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    folder = only_folder(tmp_path / "xor")
    told = f"told to stop by {number.name}; python train.py resume={os.path.relpath(folder, PROJECT)} goes on"
    assert process.returncode == 128 + number
    assert errors == f"saving after this batch; once more stops at once\ninterrupted: {told}\n"
    ended = result(folder)
    assert (ended["status"], ended["error"]) == ("interrupted", told)
    assert (folder / "train.log").read_text().endswith(f"\n{told}\n")
    assert "Traceback" not in (folder / "train.log").read_text()
    assert ended["last_checkpoint"] == "checkpoints/last.ckpt"
    step = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert step == ended["steps"] > 0


@pytest.mark.slow
def test_of_two_processes_one_is_told_and_both_go_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    words = "experiment=sine", "trainer=ddp_cpu", "trainer.max_epochs=6", "trainer.check_val_every_n_epoch=2"
    process = started(*words, "+callbacks.progress.plain_seconds=0.1", f"paths.log_dir={tmp_path}/part")
    assert process.stdout is not None
    while "epoch " not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    folder = only_folder(tmp_path / "part" / "sine")
    assert process.returncode == 143
    assert 0 < int(str(result(folder)["steps"])) < 600
    for again in ([f"resume={folder}"], [*words, f"paths.log_dir={tmp_path}/whole"]):
        _, errors = (process := started(*again)).communicate(timeout=120)
        assert process.returncode == 0, errors
    assert_same(folder, only_folder(tmp_path / "whole" / "sine"))


@pytest.mark.slow
def test_two_processes_that_were_killed_before_they_saved_begin_anew(tmp_path: Path) -> None:
    words = "experiment=sine", "trainer=ddp_cpu", "trainer.max_epochs=2", f"paths.log_dir={tmp_path}"
    process = started(*words)
    while not list(tmp_path.glob("sine/*/config.yaml")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    folder = only_folder(tmp_path / "sine")
    completed = train(f"resume={folder}")
    assert completed.returncode == 0, completed.stderr
    assert result(folder)["steps"] == 200


def test_told_to_stop_while_it_starts_it_says_so_and_goes_on_from_the_beginning(whole: Path, tmp_path: Path) -> None:
    process = started(*SHORT, f"paths.log_dir={tmp_path}")
    while not list(tmp_path.glob("xor/*/config.yaml")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    folder = only_folder(tmp_path / "xor")
    assert process.returncode == 143
    told = f"told to stop by SIGTERM; python train.py resume={os.path.relpath(folder, PROJECT)} begins anew"
    assert errors == f"interrupted: {told}: nothing was saved\n"
    assert result(folder)["status"] == "interrupted"
    completed = called("train", f"resume={folder}")
    assert completed.returncode == 0, completed.stderr
    assert "has no checkpoint yet: it begins anew" in completed.stdout
    assert_same(folder, whole)


def test_a_terminal_that_is_closed_loses_nothing(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if not pid:
        words = "experiment=xor", "trainer.max_epochs=100000", f"paths.log_dir={tmp_path}"
        os.execv(sys.executable, [sys.executable, str(PROJECT / "train.py"), *words])
    seen = b""
    while b"epoch " not in seen:
        seen += os.read(terminal, 4096)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 129
    folder = only_folder(tmp_path / "xor")
    assert result(folder)["status"] == "interrupted"
    assert torch.load(folder / "checkpoints" / "last.ckpt")["global_step"] == result(folder)["steps"] > 0


def test_where_slurm_cannot_be_asked_the_run_says_how_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert requeue() is False
    line = answer(signal.SIGUSR1, RunFolder("logs/xor/run"))
    assert line == "told to stop by SIGUSR1; python train.py resume=logs/xor/run begins anew: nothing was saved"


DEAF = """
import os, signal
from lab.models import SimpleNet
try:
    os.kill(os.getpid(), signal.SIGTERM)
    print("it goes on")
except BaseException:  # as C code does that is importing itself
    pass
"""


def test_told_to_stop_in_the_middle_of_an_import_that_heeds_no_exception(tmp_path: Path) -> None:
    (tmp_path / "deaf.py").write_text(DEAF)
    words = *SHORT, "model._target_=deaf.SimpleNet", "targets=[lab,deaf]", f"paths.log_dir={tmp_path}/logs"
    completed = train(*words, PYTHONPATH=str(tmp_path))
    folder = only_folder(tmp_path / "logs" / "xor")
    assert (completed.returncode, completed.stdout) == (143, "")
    assert completed.stderr.startswith("interrupted: told to stop by SIGTERM; python train.py resume=")
    assert result(folder)["status"] == "interrupted"


def test_who_is_told_to_stop_before_it_goes_on_repeats_the_command_and_leaves_the_run_alone(
    run: Path, tmp_path: Path
) -> None:
    unfinished(run)
    (tmp_path / "deaf.py").write_text(DEAF)
    words = f"resume={run}", "model._target_=deaf.SimpleNet", "targets=[lab,deaf]"
    completed = train(*words, PYTHONPATH=str(tmp_path))
    told = f"told to stop by SIGTERM; python train.py {shlex.join(words)} goes on"
    assert (completed.returncode, completed.stderr) == (143, f"interrupted: {told}\n")
    assert result(run)["status"] == "running"


KILLED = """
import os
from pathlib import Path
from leyden.cli import main
from leyden.runs.folder import RunFolder
write_config = RunFolder.write_config
def write_config_and_die(*arguments):
    write_config(*arguments)
    os._exit(9)
RunFolder.write_config = write_config_and_die
"""


def test_a_run_goes_on_from_the_instant_at_which_its_config_is_there(whole: Path, tmp_path: Path) -> None:
    call = f"main(['train', *{SHORT}, 'paths.log_dir={tmp_path}'], project=Path('.'))"
    assert command("python", "-c", KILLED + call).returncode == 9
    folder = only_folder(tmp_path / "xor")
    completed = called("train", f"resume={folder}")
    assert completed.returncode == 0, completed.stderr
    assert_same(folder, whole)


def test_a_sweep_that_is_told_to_stop_begins_no_further_job(tmp_path: Path) -> None:
    words = "-m", "experiment=xor", "trainer.max_epochs=100000", "seed=1,2", f"hydra.sweep.dir={tmp_path}/sweep"
    process = started(*words)
    assert process.stdout is not None
    while "training SimpleNet" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert sorted(file.parent.name for file in tmp_path.glob("sweep/*/result.json")) == ["0"]


@pytest.mark.slow
def test_ten_runs_that_are_killed_go_on_and_end_as_if_they_had_not_been() -> None:
    """The short version of scripts/benchmarks/survive.py, which has no kill in the imports."""
    words = "scripts/benchmarks/survive.py", "--fork", "--cases", "xor", "--kills", "10", "--jobs", "2"
    completed = subprocess.run([sys.executable, *words], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    row = next(line for line in completed.stdout.splitlines() if line.startswith("xor  "))
    assert row.split()[1:5] == ["10", "10", "0", "0"]


def test_where_the_last_checkpoint_is_damaged_the_one_before_it_is_taken(whole: Path, run: Path) -> None:
    unfinished(run)
    file = run / "checkpoints" / "last.ckpt"
    content = file.read_bytes()
    file.write_bytes(content[:1000] + b"x" + content[1001:])
    completed = called("train", f"resume={run}")
    assert completed.returncode == 0, completed.stderr
    assert "last.ckpt is damaged: its content does not fit its checksum; previous.ckpt, saved before it, is taken" in (
        completed.stdout
    )
    assert "from step 75 on" in completed.stdout
    assert_same(run, whole)


def test_what_has_changed_since_it_began_is_said_and_kept(whole: Path, run: Path) -> None:
    unfinished(run)
    facts = json.loads((run / "provenance.json").read_text())
    facts["packages"]["torch"] = "1.0"
    (run / "provenance.json").write_text(json.dumps(facts | {"data": "other"}))
    shutil.move(run / "checkpoints" / "previous.ckpt", run / "checkpoints" / "last.ckpt")
    completed = called("train", f"resume={run}")
    assert completed.returncode == 0, completed.stderr
    torch_line = f"package torch: 1.0 then, {torch.__version__.split('+')[0]} now"
    assert f"not as when it began: {torch_line}\n" in completed.stdout
    (again,) = json.loads((run / "provenance.json").read_text())["resumed"]
    assert again["step"] == 75
    assert again["command"][:2] == ["python", "train.py"]
    assert again["differences"][0] == torch_line
    assert again["differences"][1].startswith("data: other then, ")
    assert_same(run, whole)


def test_a_damaged_provenance_stops_no_training(whole: Path, run: Path) -> None:
    unfinished(run)
    (run / "provenance.json").write_text("{")
    shutil.move(run / "checkpoints" / "previous.ckpt", run / "checkpoints" / "last.ckpt")
    completed = called("train", f"resume={run}")
    assert completed.returncode == 0, completed.stderr
    assert "provenance.json is damaged, and is not looked at" in completed.stdout
    assert json.loads((run / "provenance.json").read_text())["resumed"][0]["step"] == 75
    assert_same(run, whole)


def test_where_all_checkpoints_are_damaged_nothing_is_changed(run: Path) -> None:
    unfinished(run)
    for name in ("last", "previous"):
        (run / "checkpoints" / f"{name}.ckpt").write_bytes(b"")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    completed = called("train", f"resume={run}")
    assert completed.returncode == 1
    assert completed.stderr.count("is damaged or no checkpoint") == 2
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_that_was_killed_in_its_test_is_only_tested_again(whole: Path, run: Path) -> None:
    unfinished(run)
    (run / "metrics.csv").write_text(
        (run / "metrics.csv").read_text().rstrip().rpartition("\n")[0] + "\n80,,,,,,,9,9\n"
    )
    completed = called("train", f"resume={run}")
    assert completed.returncode == 0, completed.stderr
    assert "training SimpleNet" not in completed.stdout
    assert_same(run, whole)


def test_one_folder_has_one_training(run: Path) -> None:
    unfinished(run)
    with (run / "train.log").open("a") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        completed = called("train", f"resume={run}")
        assert "running" in called("runs", str(run)).stdout
    assert completed.returncode == 1
    assert completed.stderr.endswith("run is being trained by another process: one folder, one training\n")
    os.utime(run / "result.json", (0, 0))
    assert "killed" in called("runs", str(run)).stdout


def test_what_a_killed_process_left_half_written_is_cleared_away(run: Path) -> None:
    for name in (".result.json.1.partial", "checkpoints/.next.ckpt.1.partial"):
        (run / name).write_text("half")
    with RunFolder(run).locked():
        assert not list(run.rglob("*.partial"))


def test_a_folder_that_is_deleted_under_a_run_stays_deleted(tmp_path: Path) -> None:
    process = started("experiment=xor", "checkpoint.every_n_steps=50", f"paths.log_dir={tmp_path}")
    assert process.stdout is not None
    while "training SimpleNet" not in process.stdout.readline():
        assert process.poll() is None
    other = tmp_path / "other"
    other.mkdir()
    while (tmp_path / "xor").exists():  # the run may write a file between the others' end and the folder's
        shutil.rmtree(tmp_path / "xor", ignore_errors=True)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.endswith(" is gone: its training was stopped, and writes nothing more\n")
    assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == [other]


@pytest.mark.parametrize("figures", ["none", "xor"])  # of which the disk is then full to its last byte
def test_a_disk_that_fills_up_while_it_trains(figures: str, small_disk: Path) -> None:
    words = "experiment=xor", "checkpoint.every_n_steps=20", "model.hidden_features=2000", "trainer.max_epochs=100"
    completed = called("train", *words, f"figures={figures}", f"paths.log_dir={small_disk}/logs")
    folder = only_folder(small_disk / "logs" / "xor")
    assert completed.returncode == 1
    assert "No space left on device" in completed.stderr
    assert completed.stderr.endswith(f"; python train.py resume={os.path.relpath(folder)} goes on\n")
    assert completed.stderr.count("\n") == 1
    assert result(folder)["status"] == "failed"
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] % 20 == 0
    assert not list(folder.rglob("*.partial"))


def test_logs_that_cannot_be_written_to(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    completed = called("train", "experiment=xor", f"paths.log_dir={small_disk}/logs")
    assert completed.returncode == 1
    assert completed.stderr == f"error: [Errno 30] Read-only file system: '{small_disk}/logs'\n"


def test_a_run_that_was_stopped_before_its_first_save_begins_anew(whole: Path, run: Path) -> None:
    shutil.rmtree(run / "checkpoints")
    stopped = {"status": "interrupted", "steps": 37, "last_checkpoint": None}
    (run / "result.json").write_text(json.dumps(result(run) | stopped))
    completed = called("train", f"resume={run}")
    assert completed.returncode == 0, completed.stderr
    assert_same(run, whole)


def test_a_step_whose_numbers_go_wrong_is_told_and_replayed(tmp_path: Path) -> None:
    wrong = "experiment=sine", "optimizer.lr=1000", "model.activation=relu", "trainer.max_epochs=1"
    completed = called("train", *wrong, f"paths.log_dir={tmp_path}")
    folder = only_folder(tmp_path / "sine")
    name = os.path.relpath(folder)
    assert completed.returncode == 1
    assert completed.stderr.startswith("error: step ")
    assert completed.stderr.endswith(f"; leyden replay {name} trains that step again, guard=off trains on\n")
    assert result(folder)["status"] == "failed"
    kept = torch.load(folder / "nonfinite.ckpt", weights_only=True)
    from leyden.verbs.replay import replay

    again = replay(str(folder))
    assert str(again["loss"]) == str(kept["loss"])
    assert {key: str(norm) for key, norm in again["gradient_norms"].items()} == {
        key: str(norm) for key, norm in kept["gradient_norms"].items()
    }
    assert called("train", *wrong, "guard=off", f"paths.log_dir={tmp_path}/off").returncode == 0
    assert called("replay", str(only_folder(tmp_path / "off" / "sine"))).stderr.endswith(
        "has no nonfinite.ckpt: no number went wrong while it trained\n"
    )
