"""How the machine is shared out between jobs that run side by side."""

import json
import os
from pathlib import Path

import pytest
from conftest import only_folder, train

from leyden.errors import UserError
from leyden.sweeps.local import Share, shares


def test_each_worker_has_its_own_gpus_and_its_part_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,GPU-a,3")
    assert shares(None, None) == [Share(2, "0"), Share(2, "1"), Share(2, "GPU-a"), Share(2, "3")]
    assert shares(None, 2) == [Share(4, "0,1"), Share(4, "GPU-a,3")]
    assert shares(3, 1) == [Share(2, "0"), Share(2, "1"), Share(2, "GPU-a")]
    assert shares(2, 0) == [Share(4, None)] * 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert shares(None, None) == [Share(1, None)] * 8


@pytest.mark.parametrize(("workers", "gpus_per_job"), [(5, 1), (None, 5), (0, None), (3, 2), (None, -1)])
def test_more_than_there_is_is_refused(workers: int | None, gpus_per_job: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    with pytest.raises(UserError, match="there are 4 GPUs here; workers must be 1 or more"):
        shares(workers, gpus_per_job)


@pytest.mark.parametrize(
    ("word", "asked"),
    [
        ("launcher.workers=0", "launcher.workers=0 launcher.gpus_per_job=null"),
        ("launcher.gpus_per_job=1", "launcher.workers=null launcher.gpus_per_job=1"),
    ],
)
def test_what_the_machine_has_not_is_said_in_one_line(word: str, asked: str, tmp_path: Path) -> None:
    words = ("-m", "experiment=xor", "seed=1,2", "hydra/launcher=local", word, f"paths.log_dir={tmp_path}/logs")
    refused = train(*words, CUDA_VISIBLE_DEVICES="")
    right = "workers must be 1 or more, gpus_per_job 0 or more, and their product no more than there are"
    message = f"error: {asked}: there are 0 GPUs here; {right}\n"
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", message)
    assert not list(tmp_path.rglob("xor"))


@pytest.mark.slow
def test_a_job_sees_its_own_gpu_alone(tmp_path: Path) -> None:
    """The numbers of GPUs that are not there: no job uses them."""
    (tmp_path / "seen.py").write_text(
        "import json, os\nfrom pathlib import Path\nfrom lab.models import SimpleNet as Net\n"
        "class SimpleNet(Net):\n"
        "    def on_train_start(self):\n"
        "        seen = os.environ['CUDA_VISIBLE_DEVICES'], os.environ['OMP_NUM_THREADS']\n"
        "        (Path(self.trainer.default_root_dir) / 'seen.json').write_text(json.dumps(seen))\n"
    )
    words = (
        "experiment=xor",
        "seed=1,2,3,4",
        "trainer.max_epochs=10",
        "model._target_=seen.SimpleNet",
        "targets=[lab,seen]",
    )
    completed = train(
        *("-m", *words, "hydra/launcher=local", "launcher.gpus_per_job=1", f"paths.log_dir={tmp_path}/logs"),
        CUDA_VISIBLE_DEVICES="5,7",
        PYTHONPATH=str(tmp_path),
    )
    assert completed.returncode == 0, completed.stderr
    sweep = only_folder(tmp_path / "logs" / "xor" / "sweeps")
    seen = [json.loads(file.read_text()) for file in sorted(sweep.glob("*/seen.json"))]
    threads = str(max(1, len(os.sched_getaffinity(0)) // 2))
    assert len(seen) == 4
    assert sorted({gpu for gpu, _ in seen}) == ["5", "7"]
    assert {number for _, number in seen} == {threads}
