"""What the benchmarks share: ratios measured in turn, a table of them beside their targets, and `benchmarks.json`."""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

PROJECT = Path(__file__).parents[2]
FILE = PROJECT / "benchmarks.json"


@dataclass(frozen=True)
class Figure:
    """Something measured several times, and what it should be: `at most` or `at least` `target`; None: no target."""

    name: str
    values: Sequence[float]
    target: float | None = None
    bound: str = "at most"
    unit: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def reached(self) -> bool | None:
        if self.target is None:
            return None
        return self.median <= self.target if self.bound == "at most" else self.median >= self.target


def in_turn(cases: Mapping[str, Callable[[], float]], repetitions: int) -> dict[str, list[float]]:
    """What each case returned, called one after the other, again and again."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(repetitions):
        for name, case in cases.items():
            found[name].append(case())
    return found


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Of what was measured in the same turn."""
    return [one / other for one, other in zip(above, below, strict=True)]


def command_seconds(*words: str) -> float:
    """CPU seconds of a command of this Python's, and of its children."""
    usage = _usage(words)
    return usage.ru_utime + usage.ru_stime


def peak_megabytes(*words: str) -> float:
    """The most memory that a command of this Python's has held."""
    return _usage(words).ru_maxrss / 1024


def _usage(words: Sequence[str]) -> resource.struct_rusage:
    """What a command has used; its output is thrown away."""
    with Path(os.devnull).open("w") as nowhere:
        process = subprocess.Popen([sys.executable, *words], cwd=PROJECT, stdout=nowhere, stderr=nowhere)
        return os.wait4(process.pid, 0)[2]


def train(*words: str) -> None:
    """`python train.py` in this process; its output and its run folder are thrown away."""
    from leyden.cli import main

    with (
        tempfile.TemporaryDirectory() as logs,
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
    ):
        main(["train", *words, f"paths.log_dir={logs}"], PROJECT)


def tell(figures: Sequence[Figure]) -> None:
    """Print the figures, and keep them in `benchmarks.json` beside those of the other benchmarks."""
    table = Table("figure", "lowest", "median", "highest", "target", "", box=None, pad_edge=False)
    for figure in figures:
        low, middle, high = (f"{choose(figure.values):.4g}{figure.unit}" for choose in (min, statistics.median, max))
        target = "" if figure.target is None else f"{figure.bound} {figure.target:g}{figure.unit}"
        reached = {None: "", True: "reached", False: "missed"}[figure.reached]
        table.add_row(figure.name, low, middle, high, target, reached)
    Console(width=150).print(table)
    kept = json.loads(FILE.read_text()) if FILE.is_file() else {}
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, Python {platform.python_version()}"
    )
    for figure in figures:
        kept[figure.name] = {**asdict(figure), "median": figure.median, "reached": figure.reached, "machine": machine}
    FILE.write_text(json.dumps(kept, indent=2) + "\n")
