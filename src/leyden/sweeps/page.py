"""The page of a sweep: one HTML file that holds all it needs, plotly.js too, so that it opens without a network."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from urllib.parse import quote

from leyden.sweeps.figures import Figure, bars, by_value, curves, front, history, parallel
from leyden.sweeps.importance import FEWEST, trials
from leyden.sweeps.summary import Summary, shown
from leyden.sweeps.table import again, are_numbers, cells, said_of

COMMON = {"template": "none", "margin": {"t": 30, "r": 30}}
OPTIONS = "{responsive: true, displaylogo: false, showSendToCloud: false}"  # plotly.js would offer to upload the data
PLACES = "document.currentScript.previousElementSibling.children"
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 1400px; margin: 2rem auto;
       padding: 0 1rem }
h1 { margin: 0 } h2 { margin: 2.5rem 0 .3rem } p { margin: .3rem 0 } .note { color: #555 } a { color: #31688e }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)) }
.plots > div { height: 420px; min-width: 0 } .table { max-height: 36rem; overflow: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th { text-align: left; position: sticky; top: 0; background: #fff; box-shadow: 0 1px #999 }
th, td { padding: .2rem 1.3rem .2rem 0; vertical-align: top; white-space: nowrap } td { border-bottom: 1px solid #eee }
.number { text-align: right } td:last-child:not(.number) { white-space: normal; min-width: 20rem }
pre { background: #f4f4f4; padding: .6rem; white-space: pre-wrap; overflow-wrap: anywhere }
"""


def page(summary: Summary, folder: Path, importances: Mapping[str, float]) -> str:
    """The HTML, with links relative to `folder`. `importances` are those of a search, where they are known."""
    from plotly.offline import get_plotlyjs

    name, objectives = escape(summary.name), list(summary.objectives)
    named = escape(" and ".join(objectives))
    begun = escape(min(run.started for run in summary.runs).replace("T", " "))
    header, *rows = cells(summary)
    note = "Mean over seeds, and its 95 % interval by Student's t."
    if len(objectives) > 1:
        note += " A star: on the Pareto front, as no other row is as good in all objectives, and better in one."
    parts = [
        f"<h1>{name}</h1>",
        f"<p>{escape(said_of(summary))}. Begun {begun}; this page: {datetime.now():%Y-%m-%d %H:%M:%S}.</p>",
        _section(f"{named}, best first", note),
        _table(header, [[escape(cell) for cell in row] for row in rows]),
    ]
    if summary.best:
        parts.append(f"<p>To train the {again(summary)} again:</p><pre>{escape(summary.best.command)}</pre>")
    if summary.best and len(objectives) == 2:
        parts.append(_section("Pareto front", "A dot is a row; the dark ones, on the line, no other beats."))
        parts.append(_drawn(front(summary)))
    if searched := trials(summary):
        note = "The value of each trial (a ring: not finished), and the best so far"
        if importances:
            note += f"; and how far the values of the best tenth by {escape(objectives[0])} are from all (PED-ANOVA)."
        else:
            note += f". Importances: from {FEWEST} finished trials of two parameters on; of fewer they say little."
        parts.append(_section("History of the search", note))
        histories = [history(searched, objective, summary) for objective in objectives]
        parts.append(_drawn(*histories, *([bars(importances)] if importances else [])))
    if summary.varied and summary.best:
        note = "A dot is a run (a ring: not finished), a line the means of rows that differ in nothing else."
        parts.append(_section(f"{named} by each value that varied", note))
        parts.append(_drawn(*(by_value(key, each, summary) for key in summary.varied for each in objectives)))
        note = f"Dark is best by {escape(objectives[0])}. Drag along an axis to choose runs."
        parts.append(_section("All values together", note))
        parts.append(_drawn(parallel(summary)))
    if drawn := [figure for objective in objectives if (figure := curves(objective, summary))]:
        parts.append(_section("Learning curves", "Dark comes first in the table. Point at a curve to see its run."))
        parts.append(_drawn(*drawn))
    else:
        parts.append(_section("Learning curves", f"None: no run has logged {named} to its metrics.csv."))
    parts += [_section("Runs"), _runs(summary, folder)]
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style>'
        f"<script>{get_plotlyjs()}</script></head>\n<body>{''.join(parts)}</body></html>\n"
    )


def _section(title: str, note: str = "") -> str:
    return f'<h2>{title}</h2><p class="note">{note}</p>'


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows are HTML, the header is text."""
    columns = list(zip(*rows, strict=True))
    kinds = [' class="number"' if are_numbers(re.sub("<.*?>", "", cell) for cell in each) else "" for each in columns]
    heads = "".join(f"<th{kind}>{escape(name)}</th>" for kind, name in zip(kinds, header, strict=True))
    lines = ["".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True)) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="table"><table><tr>{heads}</tr>{body}</table></div>'


def _drawn(*figures: Figure) -> str:
    """Plots side by side, drawn when all have their place."""
    given = json.dumps([[traces, COMMON | layout] for traces, layout in figures])
    given = given.replace("<", "\\u003c")  # or a text could end the script
    draw = f"{given}.forEach((figure, index) => Plotly.newPlot(plots[index], ...figure, {OPTIONS}))"
    places = "<div></div>" * len(figures)
    return f'<div class="plots">{places}</div><script>{{ const plots = {PLACES}; {draw} }}</script>'


def _runs(summary: Summary, folder: Path) -> str:
    def link(path: Path) -> str:
        relative = os.path.relpath(path, folder)
        return f'<a href="{quote(relative)}/">{escape(relative)}</a>'

    tests = list(dict.fromkeys(name for run in summary.runs for name in run.metrics if name.startswith("test/")))
    shown_tests = [name for name in tests if name not in summary.objectives]
    rows = []
    for run in summary.runs:
        settings = [shown(run.settings[key]) for key in (*summary.varied, "seed")]
        reached = [*run.objectives.values(), *map(run.metrics.get, shown_tests)]
        numbers = ["" if value is None else f"{value:.6g}" for value in reached]
        texts = [run.status, *settings, *numbers, f"{run.seconds:,.1f}", run.error or ""]
        rows.append([link(run.path), *map(escape, texts)])
    header = ["folder", "status", *summary.varied, "seed", *summary.objectives, *shown_tests, "seconds", "error"]
    empty = [""] * (len(header) - 3)
    rows += [[link(path), "not read", *empty, escape(reason)] for path, reason in summary.damaged.items()]
    if not any(row[-1] for row in rows):
        header, rows = header[:-1], [row[:-1] for row in rows]
    return _table(header, rows)
