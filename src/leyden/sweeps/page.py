"""The page of a sweep: one HTML file that holds all it needs, plotly.js too, so that it opens without a network."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from urllib.parse import quote

from leyden.sweeps.figures import Figure, bars, by_value, curves, history, parallel
from leyden.sweeps.importance import trials
from leyden.sweeps.summary import Summary, shown
from leyden.sweeps.table import cells, said_of

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
td:last-child { white-space: normal } pre { background: #f4f4f4; padding: .6rem; overflow-x: auto }
"""


def page(summary: Summary, folder: Path, importances: Mapping[str, float]) -> str:
    """The HTML, with links relative to `folder`. `importances` are those of a search, where they are known."""
    from plotly.offline import get_plotlyjs

    name, monitor = escape(summary.name), escape(summary.monitor)
    begun = escape(min(run.started for run in summary.runs).replace("T", " "))
    header, *rows = cells(summary)
    parts = [
        f"<h1>{name}</h1>",
        f"<p>{escape(said_of(summary))}. Begun {begun}; this page: {datetime.now():%Y-%m-%d %H:%M:%S}.</p>",
        _section(f"{monitor}, best first", "Mean over seeds, and its 95 % interval by Student's t."),
        _table(header, [[escape(cell) for cell in row] for row in rows]),
    ]
    if summary.best:
        parts.append(f"<p>To train the best again:</p><pre>{escape(summary.best.command)}</pre>")
    if searched := trials(summary):
        note = "The value of each trial (a ring: not finished), and the best so far"
        note += "; and how far the values of the best tenth are from those of all (PED-ANOVA)." if importances else "."
        parts.append(_section("History of the search", note))
        parts.append(_drawn(history(searched, summary), *([bars(importances)] if importances else [])))
    if summary.varied and summary.best:
        note = "A dot is a run (a ring: not finished), a line the means of rows that differ in nothing else."
        parts.append(_section(f"{monitor} by each value that varied", note))
        parts.append(_drawn(*(by_value(key, summary) for key in summary.varied)))
        parts.append(_section("All values together", "Dark is best. Drag along an axis to choose runs."))
        parts.append(_drawn(parallel(summary)))
    if figure := curves(summary):
        parts.append(_section("Learning curves", "Dark is best. Point at a curve to see which run it is."))
        parts.append(_drawn(figure))
    else:
        parts.append(_section("Learning curves", f"None: no run has logged {monitor} to its metrics.csv."))
    parts += [_section("Runs"), _runs(summary, folder)]
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style>'
        f"<script>{get_plotlyjs()}</script></head>\n<body>{''.join(parts)}</body></html>\n"
    )


def _section(title: str, note: str = "") -> str:
    return f'<h2>{title}</h2><p class="note">{note}</p>'


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows are HTML, the header is text."""
    heads = "".join(f"<th>{escape(name)}</th>" for name in header)
    lines = [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    return f'<div class="table"><table><tr>{heads}</tr>{"".join(lines)}</table></div>'


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

    rows = []
    for run in summary.runs:
        settings = [shown(run.settings[key]) for key in (*summary.varied, "seed")]
        texts = [run.status, *settings, "" if run.value is None else f"{run.value:.6g}", run.error or ""]
        rows.append([link(run.path), *map(escape, texts)])
    empty = [""] * (len(summary.varied) + 2)
    rows += [[link(path), "not read", *empty, escape(reason)] for path, reason in summary.damaged.items()]
    return _table(["folder", "status", *summary.varied, "seed", summary.monitor, "error"], rows)
