"""The table of a sweep, and what is said with it on the terminal."""

import os
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leyden.sweeps.summary import Row, Summary, shown
from leyden.terminal import show

SHOWN = 40  # rows, and errors: the best of a large sweep should not scroll away
ALWAYS = ("finished", "failed")  # counted even where there is none


def tell(summary: Summary) -> None:
    """Print the table, best first, what failed, and the best config as a command."""
    console, (header, *rows) = Console(), cells(summary)
    table = Table(box=None, pad_edge=False)
    for name in header:
        table.add_column(Text(name), justify="left" if name in summary.varied else "right")
    for row in rows[:SHOWN]:
        table.add_row(*map(Text, row))
    # A number that is cut is another number: a narrow terminal wraps the lines instead.
    console.width = max(console.width, console.measure(table, options=console.options.update(width=10_000)).maximum)
    errors = [f"{os.path.relpath(run.path)}: {run.error}" for run in summary.runs if run.error]
    errors += [f"{os.path.relpath(path)}: not read: {reason}" for path, reason in summary.damaged.items()]
    show(console, table, *_rest(rows, "rows"), said_of(summary), *errors[:SHOWN], *_rest(errors, "errors"))
    if summary.best:
        show(console, "to train the best again:", summary.best.command)


def cells(summary: Summary) -> list[list[str]]:
    """A header, and the rows, best first: what varied, mean, 95 % interval, how many came to what, seconds."""
    statuses = list(dict.fromkeys([*ALWAYS, *(run.status for run in summary.runs)]))
    header = [*summary.varied, summary.monitor, "95 %", *statuses, "s per run"]
    return [header, *(_row(row, statuses) for row in summary.rows)]


def said_of(summary: Summary) -> str:
    """How many runs came to what, and how long all of them took."""
    counts = Counter(run.status for run in summary.runs)
    if summary.damaged:
        counts["not read"] = len(summary.damaged)
    each = ", ".join(f"{count:,} {status}" for status, count in counts.most_common())
    runs = "run" if counts.total() == 1 else "runs"
    codes = f"; by {summary.codes} states of the code: sweep.csv says which" if summary.codes > 1 else ""
    return f"{counts.total():,} {runs}: {each}; {sum(run.seconds for run in summary.runs):,.1f} s of training{codes}"


def _row(row: Row, statuses: Sequence[str]) -> list[str]:
    settings = [shown(value) for value in row.settings.values()]
    mean = "" if row.mean is None else f"{row.mean:.6g}"
    margin = "" if row.margin is None else f"± {row.margin:.2g}"
    return [*settings, mean, margin, *(str(row.count(status)) for status in statuses), f"{row.seconds:,.1f}"]


def _rest(lines: Sequence[object], what: str) -> list[str]:
    rest = len(lines) - SHOWN
    return [f"... and {rest:,} more {what}: the files of the report have all"] if rest > 0 else []
