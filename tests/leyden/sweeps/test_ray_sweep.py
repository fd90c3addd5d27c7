"""Sweeps on Ray, on this machine."""

from pathlib import Path

import pytest
from conftest import only_folder, train

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
