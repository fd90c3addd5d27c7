"""How much faster a sweep is on two cores: `hydra/launcher=local` over one job after the other.

    python scripts/benchmarks/sweep_speed.py               # 16 jobs of XOR, three times each way: five minutes

Real sweeps, in turn. Imports are paid for when each process has done its first job: from there on, the wall time until
the last job ends, for each job that is left. Also printed: what the second and later jobs of one process cost over the
first with its imports.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

PROJECT = Path(__file__).parents[2]
WORKERS = 2
TARGET = 0.65


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    ratios, later = [], []
    for _ in range(arguments.repeats):
        first, serial = swept(arguments.jobs, arguments.epochs, 1)
        _, local = swept(
            arguments.jobs, arguments.epochs, WORKERS, "hydra/launcher=local", f"launcher.workers={WORKERS}"
        )
        ratios.append(local / serial)
        later.append(serial / first)
    table = Table("ratio of wall times", "lowest", "median", "highest", "target", box=None, pad_edge=False)
    for name, values, target in (
        (f"a job of {arguments.jobs}, {WORKERS} side by side, over one after the other", ratios, f"at most {TARGET}"),
        ("a later job over the first with its imports", later, ""),
    ):
        shown = (f"{choose(values):.3f}" for choose in (min, statistics.median, max))
        table.add_row(name, *shown, target)
    Console(width=140).print(table)


def swept(jobs: int, epochs: int, processes: int, *words: str) -> tuple[float, float]:
    """Seconds until each process has done its first job, and for each job after that."""
    logs = Path(tempfile.mkdtemp(prefix="sweep-speed-"))
    try:
        command = ["train.py", "-m", "experiment=xor", f"seed=range({jobs})", f"trainer.max_epochs={epochs}", *words]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        began = time.time()
        subprocess.run(
            [sys.executable, *command, f"paths.log_dir={logs}"],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        ends = sorted(file.stat().st_mtime for file in logs.glob("xor/sweeps/*/*/result.json"))
    finally:
        shutil.rmtree(logs)
    paid = ends[processes - 1]
    return paid - began, (ends[-1] - paid) / (jobs - processes)


if __name__ == "__main__":
    main()
