"""Sweeps on Ray, on this machine."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import PROJECT, only_folder, started, train
from slurm_cluster import wait_for

pytest.importorskip("ray", reason="ray is missing: pip install 'leyden[ray]'")
pytestmark = pytest.mark.slow

WORDS = ("-m", "experiment=xor", "trainer.max_epochs=20")


def test_two_workers_train_what_one_process_trains_and_one_that_fails_takes_no_other_along(tmp_path: Path) -> None:
    words = (*WORDS, "seed=1,2", "optimizer.lr=0.01,-1")
    machine = ("hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2", "+hydra.launcher.ray.init.num_gpus=1")
    shared = ("hydra.launcher.ray.remote.num_gpus=0.5",)  # of a GPU that Ray is told of: none is asked to compute
    there = train(*words, *machine, *shared, f"paths.log_dir={tmp_path}/there")
    here = train(*words, f"paths.log_dir={tmp_path}/here")
    assert there.returncode == here.returncode == 1, there.stdout + there.stderr
    sweep, other = (only_folder(tmp_path / name / "xor" / "sweeps") for name in ("there", "here"))
    for number in (0, 2):
        name = f"{number}/metrics.csv"
        assert (sweep / name).read_bytes() == (other / name).read_bytes()
    failed = [line for line in there.stdout.splitlines() if " failed: " in line]
    assert sorted(failed) == [line for line in here.stdout.splitlines() if " failed: " in line]
    assert there.stderr.splitlines()[-1].startswith("error: 2 jobs failed; python train.py sweep.resume=")


@pytest.mark.parametrize(("number", "begun"), [(signal.SIGTERM, True), (signal.SIGINT, True), (signal.SIGTERM, False)])
def test_told_to_stop_it_saves_its_jobs_and_says_one_line(number: int, begun: bool, tmp_path: Path) -> None:
    words = ("-m", "experiment=xor", "seed=1,2", "trainer.max_epochs=100000", "hydra/launcher=ray")
    process = started(*words, "+hydra.launcher.ray.init.num_cpus=2", f"paths.log_dir={tmp_path}")
    pattern = "xor/sweeps/*/*/metrics.csv" if begun else "xor/sweeps/*/multirun.yaml"
    wait_for(lambda: len(list(tmp_path.glob(pattern))) == 1 + begun, "the jobs" if begun else "the sweep")
    if not begun:
        wait_for(lambda: ray_processes(process.pid), "Ray")
    process.send_signal(number)
    output, errors = process.communicate(timeout=120)
    sweep = only_folder(tmp_path / "xor" / "sweeps")
    line = f"interrupted: python train.py sweep.resume={os.path.relpath(sweep, PROJECT)} goes on\n"
    assert (process.returncode, errors) == (128 + number, line)
    assert all(" jobs, of which " in said or " begins: " in said for said in output.splitlines())
    results = [json.loads(file.read_text()) for file in sweep.glob("*/result.json")]
    if begun:
        assert [result["status"] for result in results] == ["interrupted"] * 2
        assert all((sweep / str(job) / "checkpoints" / "last.ckpt").is_file() for job in (0, 1))
    wait_for(lambda: not ray_processes(process.pid), "Ray to end", seconds=10)


def ray_processes(session: int) -> list[str]:
    """Those of Ray's that a process has started, by its session."""
    listed = subprocess.run(["ps", "-s", str(session), "-o", "args="], capture_output=True, text=True, check=False)
    return [line for line in listed.stdout.splitlines() if "ray" in line and "train.py" not in line]


@pytest.mark.parametrize(
    ("word", "takes", "there"),
    [
        ("num_gpus=0.25", "1 CPU, 0.25 GPU", "2 CPU, 0 GPU"),
        ("num_cpus=64", "64 CPU", "2 CPU"),
    ],
)
def test_what_no_machine_has_is_said_at_once_and_leaves_nothing(
    word: str, takes: str, there: str, tmp_path: Path
) -> None:
    machine = ("hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2", "+hydra.launcher.ray.init.num_gpus=0")
    refused = train(*WORDS, "seed=1,2", *machine, f"hydra.launcher.ray.remote.{word}", f"paths.log_dir={tmp_path}")
    message = f"a job takes {takes}, and no machine of the cluster has as much (there is: {there})"
    assert (refused.returncode, refused.stderr) == (1, f"error: hydra.launcher.ray.remote: {message}\n")
    assert " begins: " not in refused.stdout
    assert not list(tmp_path.iterdir())
