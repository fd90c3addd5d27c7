"""Record the three pictures that README shows, each from a run as anyone has it.

    python scripts/record_figures.py                       # ten minutes, most of them CIFAR-10's

Writes docs/decision_surface.gif, docs/fit.gif and docs/mistakes.png. Leaves ordinary runs in logs/.
"""

import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]

RECORDED = {"xor": "decision_surface.gif", "sine": "fit.gif", "cifar10": "mistakes.png"}


def run_of(experiment: str) -> Path:
    """The folder of a new run, which is the last thing that its command says."""
    command = [sys.executable, "train.py", f"experiment={experiment}"]
    said = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True).stdout
    return PROJECT / said.splitlines()[-1]


if __name__ == "__main__":
    for experiment, picture in RECORDED.items():
        run = run_of(experiment)
        if picture.endswith(".gif"):
            leyden = [str(Path(sys.executable).with_name("leyden")), "figures", str(run), "animate=true"]
            subprocess.run(leyden, check=True)
        shutil.copy(run / "figures" / picture, PROJECT / "docs")
