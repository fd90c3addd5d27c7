"""What `leyden check` found, and how it is told."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

NONE = "(no experiment)"
OK, FAULT, SKIPPED, UNFIT = "ok", "fault", "skipped", "does not fit"


@dataclass(frozen=True)
class Finding:
    """What came of an experiment with `word`, an option of `group`, over it; both are empty for it alone."""

    experiment: str
    group: str
    word: str
    verdict: str
    reasons: Sequence[str] = ()


def table(findings: Sequence[Finding]) -> Table:
    """A row for each experiment, a column for each group: how many of its options are all right."""
    groups = list(dict.fromkeys(each.group for each in findings))
    shown = Table("experiment", *(group or "alone" for group in groups), box=None, pad_edge=False)
    shown.columns[0].no_wrap = True
    for name in dict.fromkeys(each.experiment for each in findings):
        cells = []
        for group in groups:
            here = [each.verdict for each in findings if (each.experiment, each.group) == (name, group)]
            told = f"{here.count(OK)} of {len(here)}" if group else "".join(here)
            cells.append(Text(told if here else "", "red" if FAULT in here else ""))
        shown.add_row(name, *cells)
    return shown


def lines(findings: Sequence[Finding]) -> list[str]:
    """Why, for all that is not ok: the faults last, where one looks."""
    alone = {(each.experiment, reason) for each in findings if not each.word for reason in each.reasons}
    told: dict[tuple[str, str], list[str]] = {}
    for verdict in (SKIPPED, UNFIT, FAULT):
        for each in findings:
            for reason in each.reasons if each.verdict == verdict else ():
                word = "" if (each.experiment, reason) in alone else each.word
                where = word if verdict == SKIPPED and word else f"{each.experiment} {word}".strip()
                told.setdefault((verdict, reason), []).append(where)
    return [f"{verdict}: {', '.join(dict.fromkeys(where))}: {why}" for (verdict, why), where in told.items()]
