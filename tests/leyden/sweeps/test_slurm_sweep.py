"""Sweeps under a real SLURM: `make test-slurm`."""

import json
from pathlib import Path

import pytest
import torch
from conftest import only_folder, started, train
from slurm_cluster import start_again, told, wait_for

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm")]

XOR = ("experiment=xor", "trainer.max_epochs=20")
SLURM = "hydra/launcher=slurm"


def sweep_folder(logs: Path) -> Path:
    return only_folder(only_folder(logs) / "sweeps")


def curves(sweep: Path, jobs: int) -> list[bytes]:
    return [(sweep / str(number) / "metrics.csv").read_bytes() for number in range(jobs)]


def result(run: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((run / "result.json").read_text())
    return content


def array(sweep: Path) -> str:
    """The number that SLURM gave it."""
    return min((folder.name for folder in (sweep / ".submitit").iterdir()), key=len)


def test_an_array_trains_what_one_process_trains(tmp_path: Path) -> None:
    words = ("-m", *XOR, "seed=1,2,3,4")
    there = train(*words, SLURM, f"paths.log_dir={tmp_path}/there")
    here = train(*words, f"paths.log_dir={tmp_path}/here")
    assert there.returncode == here.returncode == 0, there.stdout + there.stderr
    sweep = sweep_folder(tmp_path / "there")
    assert curves(sweep, 4) == curves(sweep_folder(tmp_path / "here"), 4)
    lines = there.stdout.splitlines()
    assert f"SLURM has them as job {array(sweep)}; " in there.stdout
    assert sum(" finished: val/loss " in line for line in lines) == 4
    assert "4 runs: 4 finished" in there.stdout  # the table
    assert (there.stderr, (sweep / "sweep.csv").read_text().count("\n")) == ("", 5)


def test_a_job_whose_machine_is_taken_goes_on_in_its_folder_and_ends_as_if_it_had_kept_it(tmp_path: Path) -> None:
    words = ("-m", "experiment=sine", "seed=1,2", "trainer.max_epochs=60", "trainer.check_val_every_n_epoch=5")
    process = started(*words, SLURM, f"paths.log_dir={tmp_path}/there")
    wait_for(lambda: list(tmp_path.glob("there/sine/sweeps/*/0/metrics.csv")), "the training")
    sweep = sweep_folder(tmp_path / "there")
    job = f"{array(sweep)}_0"
    told("scancel", "--signal=USR1", job)
    wait_for(lambda: told("squeue", "-h", "-j", job, "-o", "%T").strip() == "PENDING", "the job to be queued again")
    interrupted = result(sweep / "0")
    assert interrupted["status"] == "interrupted"
    assert str(interrupted["error"]).startswith(f"SLURM needs the machine; job {job} is queued again, and goes on in ")
    assert 0 < int(str(interrupted["steps"])) < 6000
    start_again(job)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, output + errors
    assert "2 runs: 2 finished" in output
    assert sorted(path.name for path in sweep.iterdir() if path.name.isdigit()) == ["0", "1"]
    here = train(*words, f"paths.log_dir={tmp_path}/here")
    assert here.returncode == 0, here.stderr
    whole = sweep_folder(tmp_path / "here")
    assert curves(sweep, 2) == curves(whole, 2)
    one, other = (torch.load(part / "0" / "checkpoints" / "last.ckpt")["state_dict"] for part in (sweep, whole))
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_a_job_that_fails_or_is_cancelled_is_named_in_one_line_and_takes_no_other_along(tmp_path: Path) -> None:
    words = ("-m", "experiment=xor", "optimizer.lr=0.01,-1", "trainer.max_epochs=20,100000", SLURM)
    process = started(*words, f"paths.log_dir={tmp_path}")
    wait_for(lambda: list(tmp_path.glob("xor/sweeps/*/1/metrics.csv")), "the long one")
    sweep = sweep_folder(tmp_path)
    told("scancel", f"{array(sweep)}_1")
    output, errors = process.communicate(timeout=300)
    failed = sorted(line for line in output.splitlines() if " failed: " in line)
    assert process.returncode == 1, output
    assert failed[0].startswith(f"job 1 failed: SLURM job {array(sweep)}_1 left no result; ")
    assert failed[1:] == [f"job {number} failed: {result(sweep / str(number))['error']}" for number in (2, 3)]
    assert "Invalid learning rate: -1" in failed[1]
    assert result(sweep / "0")["status"] == "finished"
    assert errors.startswith("error: 3 jobs failed; python train.py sweep.resume=")


@pytest.mark.parametrize("tasks", [1, 2])
def test_a_job_of_an_array_trains_on_several_processes(tmp_path: Path, tasks: int) -> None:
    """Those that Lightning starts, and those that SLURM starts."""
    words = (*XOR, "trainer=ddp_cpu", "seed=3")
    share = (f"hydra.launcher.tasks_per_node={tasks}", f"hydra.launcher.cpus_per_task={2 // tasks}")
    there = train("-m", *words, SLURM, *share, f"paths.log_dir={tmp_path}/there")
    assert there.returncode == 0, there.stdout + there.stderr
    here = train(*words, f"paths.log_dir={tmp_path}/here")
    assert here.returncode == 0, here.stderr
    job, run = sweep_folder(tmp_path / "there") / "0", only_folder(tmp_path / "here" / "xor")
    assert (job / "metrics.csv").read_bytes() == (run / "metrics.csv").read_bytes()
    assert (job / "train.log").read_text().count("on 2 x cpu") == 1


def test_what_slurm_refuses_is_said_in_one_line(tmp_path: Path) -> None:
    refused = train("-m", *XOR, "seed=1,2", SLURM, "hydra.launcher.partition=night", f"paths.log_dir={tmp_path}")
    message = "error: hydra/launcher=slurm: Batch job submission failed: Invalid partition name specified\n"
    assert (refused.returncode, refused.stderr.splitlines(keepends=True)[-1]) == (1, message)
    assert " begins: " not in refused.stdout
    assert not list(tmp_path.iterdir())
