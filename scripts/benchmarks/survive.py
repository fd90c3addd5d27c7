"""Kill trainings at random moments, let them go on, and compare them to one that was never stopped.

    python scripts/benchmarks/survive.py                          # all cases: more than an hour on two cores
    python scripts/benchmarks/survive.py --cases xor --kills 10   # a few minutes

Real `train.py` processes get SIGKILL at a moment that is drawn from the whole time that an unbroken one takes, start-up
and test included; every other one is killed a second time after it was resumed. They save every few steps, so that many
kills fall into a save; what a process was doing is read off its stack, which it dumps an instant before. Printed for
each case: how many trials, in how many of them the weights, metrics.csv and the TensorBoard curves were equal to the
last bit, how many runs could not go on, and how many checkpoints were damaged.
"""

import argparse
import faulthandler
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from leyden.cli import main as leyden
from leyden.errors import UserError
from leyden.training.checkpoint_io import load_checkpoint

PROJECT = Path(__file__).parents[2]
XOR = ("experiment=xor", "trainer.max_epochs=200", "trainer.check_val_every_n_epoch=1", "checkpoint.every_n_steps=7")
SINE = ("experiment=sine", "trainer.max_epochs=8", "trainer.check_val_every_n_epoch=2", "checkpoint.every_n_steps=11")
CIFAR = ("experiment=cifar10", "trainer.max_epochs=3", "data.batch_size=100", "data.val_images=200", "threads=1")
DDP = ("trainer=ddp_cpu", "trainer.check_val_every_n_epoch=2", "trainer.max_epochs=6", "checkpoint.every_n_steps=11")
SWEEP = ("-m", *XOR, "optimizer.lr=0.003,0.01", "seed=1,2")
CASES = {
    "xor": (XOR, 100),
    "sine": (SINE, 100),
    "cifar10": ((*CIFAR, "checkpoint.every_n_steps=3"), 20),
    "ddp": (("experiment=sine", *DDP), 20),
    "sweep": (SWEEP, 10),
    "sweep side by side": ((*SWEEP, "hydra/launcher=local"), 10),
}


DONE = "nothing: it was done"
MOMENTS = {  # by what is on the stack
    "a save": ("save_checkpoint",),
    "a validation": ("fit_loop.py", "evaluation_loop.py"),
    "the test": ("evaluation_loop.py",),
    "training": ("fit_loop.py",),
}


@dataclass(frozen=True)
class Trial:
    moment: str  # what the first kill fell into
    equal: bool
    went_on: bool
    damaged: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), help="default: all")
    parser.add_argument("--kills", type=int, help="trials of each case (default: 100, of cifar10 and ddp 20)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="trials at once (default: one for each core)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument(
        "--fork",
        action="store_true",
        help="fork trainings from this process, which has imported all: quick, but no kill falls into the imports",
    )
    arguments = parser.parse_args()
    if arguments.fork and "cifar10" in arguments.cases:
        parser.error("cifar10 cannot be forked: torch's threads do not survive it; name the cases")
    if arguments.fork:
        import leyden.verbs.resume  # noqa: F401
    start = Forked if arguments.fork else started
    folder = Path(tempfile.mkdtemp(prefix="survive-"))
    table = Table("case", "trials", "bit-equal", "lost", "damaged", "killed in", box=None, pad_edge=False)
    failures = 0
    try:
        for name in arguments.cases:
            words, kills = CASES[name]
            if name == "cifar10":
                words = (*words, f"paths.data_dir={small_images(folder / 'data')}")
            trials = run_case(folder / name, words, arguments.kills or kills, arguments.jobs, arguments.seed, start)
            bad = [trial for trial in trials if not trial.equal or not trial.went_on or trial.damaged]
            failures += len(bad)
            moments = ", ".join(
                f"{moment} {count}" for moment, count in Counter(t.moment for t in trials).most_common()
            )
            equal, lost, damaged = (
                sum(part) for part in zip(*((t.equal, not t.went_on, t.damaged) for t in trials), strict=True)
            )
            table.add_row(name, *map(str, (len(trials), equal, lost, damaged)), moments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    Console(width=140).print(table)
    return min(failures, 1)


def run_case(folder: Path, words: tuple[str, ...], kills: int, jobs: int, seed: int, start: "Start") -> list[Trial]:
    began = time.monotonic()
    folder.mkdir()
    whole_words = [*words, f"paths.log_dir={folder}/whole"]
    assert finish(start(whole_words, folder / "whole.stack")), "the unbroken run failed"
    seconds, whole = time.monotonic() - began, run_folder(folder / "whole")
    assert whole is not None
    draw = random.Random(seed)
    moments = [(draw.uniform(0, seconds), draw.uniform(0, seconds)) for _ in range(kills)]

    def one(number: int) -> Trial:
        return trial(folder / str(number), words, whole, moments[number][: 1 + number % 2], start)

    with ThreadPoolExecutor(jobs) as pool:
        return list(track(pool.map(one, range(kills)), f"{folder.name}: {seconds:.0f} s unbroken", total=kills))


def trial(logs: Path, words: tuple[str, ...], whole: Path, moments: tuple[float, ...], start: "Start") -> Trial:
    new, stack = [*words, f"paths.log_dir={logs}"], logs.with_suffix(".stack")
    fell_into: list[str] = []
    damaged = 0
    for seconds in moments:
        folder = run_folder(logs)
        stack.unlink(missing_ok=True)
        process = start([going_on(folder)] if folder else new, stack)
        fell_into.append(killed_after(seconds, process, stack))
        if fell_into == [DONE]:  # faster than the unbroken one: once more, with an earlier moment
            shutil.rmtree(logs)
            return trial(logs, words, whole, (0.8 * seconds, *moments[1:]), start)
        damaged += damaged_checkpoints(run_folder(logs))
    folder = run_folder(logs)
    went_on = finish(start([going_on(folder)] if folder else new, stack))
    folder = run_folder(logs)
    equal = went_on and folder is not None and same(folder, whole)
    if equal:
        shutil.rmtree(logs)
    return Trial(fell_into[0], equal, went_on, damaged)


WATCHED = """
import faulthandler, runpy, signal, sys
faulthandler.register(signal.SIGUSR2, file=open(sys.argv.pop(1), "w"), all_threads=False)
sys.argv[0] = "train.py"
runpy.run_path("train.py", run_name="__main__")
"""


def started(words: list[str], stack: Path) -> subprocess.Popen[bytes]:
    """`python train.py WORDS`, which dumps its stack into a file at SIGUSR2."""
    return subprocess.Popen(
        [sys.executable, "-c", WATCHED, stack, *words],
        cwd=PROJECT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


class Forked:
    """As much of Popen as is needed here."""

    def __init__(self, words: list[str], stack: Path) -> None:
        self.returncode: int | None = None
        self.stderr = None
        self.pid = os.fork()
        if not self.pid:
            os.setsid()
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            faulthandler.register(signal.SIGUSR2, file=stack.open("w"), all_threads=False)
            try:
                leyden(["train", *words], project=PROJECT)
            except SystemExit as stop:
                os._exit(int(stop.code or 0))
            os._exit(0)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self) -> int:
        while self.poll() is None:
            time.sleep(0.005)
        return self.returncode or 0


Process = subprocess.Popen[bytes] | Forked
Start = Callable[[list[str], Path], Process]


def finish(process: Process) -> bool:
    errors = process.stderr.read().decode() if process.stderr else ""
    if process.wait():
        print(errors, file=sys.stderr)
    return process.returncode == 0


def killed_after(seconds: float, process: Process, stack: Path) -> str:
    """What the process was doing when it was killed with all its children."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        time.sleep(0.001)
    if process.poll() is not None:
        return DONE
    os.kill(process.pid, signal.SIGUSR2)
    until = time.monotonic() + 0.02
    while time.monotonic() < until and not (stack.exists() and "<module>" in stack.read_text()):
        time.sleep(0.0005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    frames = stack.read_text() if stack.exists() else "start-up"  # it was not yet there to listen
    if not frames:
        return "not seen"  # a sweep's own code has taken over, and listens no more
    return next((moment for moment, files in MOMENTS.items() if all(file in frames for file in files)), "start-up")


def run_folder(logs: Path) -> Path | None:
    """The run, or the sweep, in `logs`; None where it was killed before it was one."""
    found = [*logs.glob("*/*/config.yaml"), *logs.glob("*/sweeps/*/multirun.yaml")]
    return found[0].parent if found else None


def going_on(folder: Path) -> str:
    return f"sweep.resume={folder}" if (folder / "multirun.yaml").is_file() else f"resume={folder}"


def damaged_checkpoints(folder: Path | None) -> int:
    count = 0
    for file in folder.rglob("checkpoints/[blp]*.ckpt") if folder else ():  # best, last, previous
        try:
            load_checkpoint(file)
        except UserError as error:
            print(error, file=sys.stderr)
            count += 1
    return count


def same(folder: Path, whole: Path) -> bool:
    """Whether weights, metrics.csv and the curves in TensorBoard's events are equal to the last bit, of every job."""
    if (whole / "multirun.yaml").is_file():
        jobs = [sorted(file.parent.name for file in sweep.glob("*/result.json")) for sweep in (folder, whole)]
        return jobs[0] == jobs[1] and all(same(folder / job, whole / job) for job in jobs[1])
    for name in ("best.ckpt", "last.ckpt"):
        one, other = (load_checkpoint(run / "checkpoints" / name)["state_dict"] for run in (folder, whole))
        if one.keys() != other.keys() or not all(torch.equal(one[key], other[key]) for key in one):
            print(f"{folder}: {name} differs", file=sys.stderr)
            return False
    if (folder / "metrics.csv").read_text() != (whole / "metrics.csv").read_text():
        print(f"{folder}: metrics.csv differs", file=sys.stderr)
        return False
    if curves(folder) != curves(whole):
        print(f"{folder}: the TensorBoard events differ", file=sys.stderr)
        return False
    left = [path.name for path in folder.rglob("*.partial")] + [path.name for path in folder.rglob("next.ckpt")]
    if left:
        print(f"{folder}: left behind: {left}", file=sys.stderr)
    return not left


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # that it hides what was written after the last save
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def small_images(folder: Path) -> Path:
    """A data folder with 1,200 of the real training images and 200 of the test images."""
    file = Path(os.environ.get("LEYDEN_DATA_DIR", PROJECT / "data")) / "cifar10.safetensors"
    if not file.is_file():
        sys.exit(f"the real images are missing: {file}; LEYDEN_DATA_DIR names another folder")
    tensors = load_file(file)
    folder.mkdir()
    save_file(
        {name: tensor[: 1200 if "train" in name else 200].contiguous() for name, tensor in tensors.items()},
        folder / "cifar10.safetensors",
    )
    return folder


if __name__ == "__main__":
    sys.exit(main())
