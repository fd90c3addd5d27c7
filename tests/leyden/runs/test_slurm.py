"""Trainings under a real SLURM: `make test-slurm`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import PROJECT, only_folder, train
from slurm_cluster import start_again, told, wait_for

pytestmark = pytest.mark.slurm

TWO_TASKS = ("--ntasks-per-node=2", "--cpus-per-task=1")
SINE = ("experiment=sine", "trainer=ddp_cpu", "trainer.max_epochs=30", "trainer.check_val_every_n_epoch=5")


def state(job: str) -> str:
    return told("squeue", "-h", "-j", job, "-o", "%T").strip()


@pytest.mark.usefixtures("slurm")
def test_srun_starts_the_processes_of_one_training(tmp_path: Path) -> None:
    words = [sys.executable, "train.py", *SINE, "trainer.max_epochs=2", f"paths.log_dir={tmp_path}"]
    completed = subprocess.run(["srun", *TWO_TASKS, *words], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.count("on 2 x cpu") == 1
    result = json.loads((only_folder(tmp_path / "sine") / "result.json").read_text())
    assert (result["status"], result["steps"]) == ("finished", 200)


@pytest.mark.usefixtures("slurm")
def test_the_job_script_trains_on_all_tasks_of_all_nodes(tmp_path: Path) -> None:
    options = ("--wait", "--nodes=1", *TWO_TASKS, "--gpus-per-node=0", f"--output={tmp_path}/out")
    words = (*SINE, "trainer.max_epochs=2", f"paths.log_dir={tmp_path}/logs")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # as in an activated environment
    command = ["sbatch", *options, "scripts/slurm_ddp.sh", *words]
    subprocess.run(command, cwd=PROJECT, env={**os.environ, "PATH": path}, check=False)
    result = json.loads((only_folder(tmp_path / "logs" / "sine") / "result.json").read_text())
    assert (result["status"], result["steps"]) == ("finished", 200), read(tmp_path / "out")
    assert read(tmp_path / "out").count("on 2 x cpu") == 1


@pytest.mark.usefixtures("slurm")
def test_a_job_whose_machine_is_taken_goes_on_in_its_folder_and_ends_as_if_it_had_kept_it(tmp_path: Path) -> None:
    script, logs = tmp_path / "job.sh", tmp_path / "logs"
    command = " ".join(["srun", *TWO_TASKS, sys.executable, "train.py", *SINE])
    script.write_text(f"#!/bin/bash\ncd {PROJECT}\n{command} paths.log_dir={logs}\n")
    options = "--parsable", *TWO_TASKS, "--requeue", "--open-mode=append", f"-o{tmp_path}/out"
    job = told("sbatch", *options, str(script)).strip()
    wait_for(lambda: "sine: training MLPRegressor" in read(tmp_path / "out"), "the training")
    told("scancel", "--signal=USR1", job)
    wait_for(lambda: state(job) == "PENDING", "the job to be queued again")
    folder = only_folder(logs / "sine")
    interrupted = json.loads((folder / "result.json").read_text())
    assert interrupted["status"] == "interrupted"
    assert interrupted["error"].startswith(f"SLURM needs the machine; job {job} is queued again, and goes on in ")
    start_again(job)
    wait_for(lambda: state(job) == "", "the job to end")
    result = json.loads((only_folder(logs / "sine") / "result.json").read_text())
    assert (result["status"], result["steps"], result["epochs"]) == ("finished", 3000, 30), read(tmp_path / "out")
    assert 0 < interrupted["steps"] < result["steps"]
    completed = train(*SINE, f"paths.log_dir={tmp_path}/whole")
    assert completed.returncode == 0, completed.stderr
    whole = only_folder(tmp_path / "whole" / "sine")
    assert (folder / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()
    one, other = (torch.load(run / "checkpoints" / "last.ckpt")["state_dict"] for run in (folder, whole))
    assert all(torch.equal(one[name], other[name]) for name in other)


def read(file: Path) -> str:
    return file.read_text() if file.exists() else ""
