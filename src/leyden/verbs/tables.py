"""What a verb says, on the terminal and in the run's log."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from leyden.runs.folder import RunFolder
from leyden.terminal import show

Range = Sequence[float]
NEVER_FOLDED = 1000  # columns, where there is no terminal whose width would matter
SUCCESS = ("test/success_rate", "test/success_rate_low", "test/success_rate_high")


def metric_table(metrics: Mapping[str, float], expected: Mapping[str, Range]) -> Table:
    """A row for each metric; `expected` gives the lowest and the highest value that is known beforehand for some."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("metric")
    table.add_column("value", justify="right")
    if expected:
        table.add_column("expected")
    for name, value in metrics.items():
        table.add_row(name, f"{value:.6g}", *([_verdict(value, expected.get(name))] if expected else []))
    for name in expected.keys() - metrics.keys():
        table.add_row(name, "", Text("not measured", "red"))
    return table


def print_report(run: RunFolder, result: Mapping[str, Any], config: DictConfig, *, on_terminal: bool) -> None:
    """The table of a finished run and where to find it, in its log and, perhaps, on standard output."""
    monitor, tested = result["monitor"], result["best_checkpoint"] or "the last weights"
    best = {f"{monitor['name']} (best)": monitor["value"]} if monitor["value"] is not None else {}
    metrics = dict(result["metrics"])
    success = [metrics.pop(name) for name in SUCCESS if name in metrics]
    told = "{:.1%} of the {:,} members reach what is expected (95 %: {:.1%} to {:.1%})"
    successes = [told.format(success[0], config.population, *success[1:])] if success else []
    table = metric_table(best | metrics, {} if config.get("population") else config.expected or {})
    early = f" of {config.trainer.max_epochs:,}" if result["epochs"] < (config.trainer.max_epochs or 0) else ""
    done = f"{result['epochs']:,}{early} epochs, {result['steps']:,} steps, {result['seconds']:,.1f} s"
    print_and_keep(run, table, *successes, f"{done}; tested: {tested}", str(run), on_terminal=on_terminal)


def print_and_keep(run: RunFolder, *parts: RenderableType, on_terminal: bool = True) -> None:
    """Print parts one below the other, perhaps, and keep them in the run's log."""
    with run.log.open("a", encoding="utf-8") as log:
        for file in [*([sys.stdout] if on_terminal else []), log]:
            show(Console(file=file, width=None if file.isatty() else NEVER_FOLDED), *parts)


def _verdict(value: float, expected: Range | None) -> Text:
    if expected is None:
        return Text()
    low, high = expected
    span = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return Text(f"{span}: as known", "green") if low <= value <= high else Text(f"{span}: NOT reached", "red")
