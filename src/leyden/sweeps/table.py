"""The table of a sweep, and what is said with it on the terminal."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leyden.sweeps.summary import Estimate, Summary, shown
from leyden.terminal import show

SHOWN = 40  # rows, and errors: the best of a large sweep should not scroll away
SMALL = 1e-8  # an interval that is written with an exponent
ALWAYS = ("finished", "failed")  # counted even where there is none


def tell(summary: Summary) -> None:
    """Print the table, best first, what failed, and the best config as a command."""
    console, (header, *rows) = Console(), cells(summary)
    table = Table(box=None, pad_edge=False)
    for name, column in zip(header, zip(*rows, strict=True), strict=True):
        table.add_column(Text(name), justify="right" if are_numbers(column) else "left")
    for row in rows[:SHOWN]:
        table.add_row(*map(Text, row))
    # A number that is cut is another number: a narrow terminal wraps the lines instead.
    console.width = max(console.width, console.measure(table, options=console.options.update(width=10_000)).maximum)
    errors = [f"{os.path.relpath(run.path)}: {run.error}" for run in summary.runs if run.error]
    errors += [f"{os.path.relpath(path)}: not read: {reason}" for path, reason in summary.damaged.items()]
    show(console, table, *_rest(rows, "rows"), said_of(summary), *errors[:SHOWN], *_rest(errors, "errors"))
    if summary.best:
        show(console, f"to train the {again(summary)} again:", summary.best.command)


def again(summary: Summary) -> str:
    """Whose command is told."""
    return "best" if len(summary.objectives) == 1 else "first"


def cells(summary: Summary) -> list[list[str]]:
    """A header, and the rows, best first: what varied, means, 95 % intervals, how many came to what, seconds.

    Of several objectives, a star marks the rows of the Pareto front.
    """
    columns = [[key, *(shown(row.settings[key]) for row in summary.rows)] for key in summary.varied]
    for name in summary.objectives:
        estimates = [row.estimates[name] for row in summary.rows]
        columns.append([name, *(rounded(each)[0] for each in estimates)])
        if any(each.margin is not None for each in estimates):
            columns.append(["95 %", *(rounded(each)[1] for each in estimates)])
    if len(summary.objectives) > 1:
        columns.append(["front", *("*" if row in summary.front else "" for row in summary.rows)])
    for status in dict.fromkeys([*ALWAYS, *(run.status for run in summary.runs)]):
        columns.append([status, *(str(row.count(status)) for row in summary.rows)])
    columns.append(["s per run", *(f"{row.seconds:,.1f}" for row in summary.rows)])
    return [list(line) for line in zip(*columns, strict=True)]


def are_numbers(texts: Iterable[str]) -> bool:
    """Whether a column of them is one of numbers, which may have gaps."""
    return all(re.fullmatch(r"(± )?[-+\d.,e]+|", text) for text in texts)


def rounded(estimate: Estimate) -> tuple[str, str]:
    """The mean and its interval to two digits of the latter, 3.13 and ± 0.12; without one, the mean to six digits."""
    mean, margin = estimate.mean, estimate.margin
    if mean is None:
        return "", ""
    if not margin or margin < SMALL or abs(mean) > 1 / SMALL:
        return f"{mean:.6g}", "" if margin is None else f"± {margin:.2g}"
    decimals = max(0, 1 - int(f"{margin:.1e}".partition("e")[2]))
    return f"{mean:.{decimals}f}", f"± {margin:.{decimals}f}"


def said_of(summary: Summary) -> str:
    """How many runs came to what, of how many where the sweep knows that, and how long all of them took."""
    counts = Counter(run.status for run in summary.runs)
    if summary.damaged:
        counts["not read"] = len(summary.damaged)
    count, planned = counts.total(), summary.plan.jobs or 0
    total = f"{count:,} of {planned:,} runs" if planned > count else f"{count:,} run{'s' * (count != 1)}"
    each = ", ".join(f"{number:,} {status}" for status, number in counts.most_common())
    codes = f"; by {summary.codes} states of the code: sweep.csv says which" if summary.codes > 1 else ""
    return f"{total}: {each}; {sum(run.seconds for run in summary.runs):,.1f} s of training{codes}"


def _rest(lines: Sequence[object], what: str) -> list[str]:
    rest = len(lines) - SHOWN
    return [f"... and {rest:,} more {what}: the files of the report have all"] if rest > 0 else []
