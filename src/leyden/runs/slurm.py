"""A job that SLURM takes the machine from and later starts again: it goes on in the folder that it had."""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from leyden.files import write_whole


def job_id() -> str | None:
    """None where SLURM has not started this process."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ.get("SLURM_JOB_ID")


def is_job_of_sweep() -> bool:
    """Whether SLURM has started this process for one job of a sweep alone (hydra/launcher=slurm)."""
    return os.environ.get("SUBMITIT_EXECUTOR") == "slurm"


def keep_folder_of_job(log_dir: Path, words: Sequence[str], folder: Path) -> None:
    """Note where the command `words` of this job trains. Does nothing outside SLURM."""
    if job_id():
        note = _note(log_dir, words)
        note.parent.mkdir(parents=True, exist_ok=True)
        write_whole(note, str(folder).encode())


def folder_of_requeued_job(log_dir: Path, words: Sequence[str]) -> Path | None:
    """Where the command `words` of this job trained before SLURM started the job again."""
    note = _note(log_dir, words)
    if not job_id() or not int(os.environ.get("SLURM_RESTART_COUNT") or 0) or not note.is_file():
        return None
    folder = Path(note.read_text())
    return folder if (folder / "config.yaml").is_file() else None


def requeue() -> bool:
    """Ask SLURM to start this job again. False where it will not."""
    try:
        completed = subprocess.run(["scontrol", "requeue", str(job_id())], capture_output=True, check=False)
    except OSError:  # in a container, say
        return False
    return completed.returncode == 0


def _note(log_dir: Path, words: Sequence[str]) -> Path:
    """One for each command: a job's script may train more than once."""
    return log_dir / ".slurm" / f"{job_id()}-{hashlib.sha256(repr(list(words)).encode()).hexdigest()[:8]}"
