"""The page of a sweep: one HTML file that holds all it needs, plotly.js too, so that it opens without a network."""

import csv
import json
import math
import os
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from leyden.sweeps.summary import Run, Summary, Value, is_number, shown
from leyden.sweeps.table import cells, said_of

Figure = tuple[list[dict[str, Any]], dict[str, Any]]  # the traces and the layout that plotly.js draws

WIDE = 20  # values that span more than this factor stand on a logarithmic axis
POINTS = 20_000  # of all learning curves together: more would make the page slow
NAMED = 12  # rows that a legend can name
# Best to worst: viridis without its last yellow, which is hard to see on white.
COLOURS = ("#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58")
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 1200px; margin: 2rem auto;
       padding: 0 1rem }
h1 { margin: 0 } h2 { margin: 2.5rem 0 .3rem } p { margin: .3rem 0 } .note { color: #555 } a { color: #31688e }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)) }
.plots > div { height: 420px; min-width: 0 } .table { max-height: 36rem; overflow: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th { text-align: left; position: sticky; top: 0; background: #fff; box-shadow: 0 1px #999 }
th, td { padding: .2rem 1.5rem .2rem 0; vertical-align: top } td { border-bottom: 1px solid #eee }
pre { background: #f4f4f4; padding: .6rem; overflow-x: auto }
"""


class Axis:
    """Where values stand: numbers on a linear or a logarithmic axis, anything else side by side."""

    def __init__(self, title: str, values: Sequence[Value]) -> None:
        self.title = escape(title)
        self.names = sorted({shown(value) for value in values})
        numbers = [value for value in values if is_number(value)]
        self.kind = "category" if len(numbers) < len(values) else "linear"
        if self.kind == "linear" and numbers and min(numbers) > 0 and max(numbers) / min(numbers) > WIDE:
            self.kind = "log"

    def place(self, value: Value) -> Value:
        return escape(shown(value)) if self.kind == "category" else value

    def layout(self) -> dict[str, Any]:
        order = {"categoryarray": [escape(name) for name in self.names]} if self.kind == "category" else {}
        return {"title": {"text": self.title}, "type": self.kind, "automargin": True, "gridcolor": "#e5e5e5", **order}

    def dimension(self, values: Sequence[Any]) -> dict[str, Any]:
        """The same for parallel coordinates, which know numbers alone."""
        if self.kind == "category":
            places = [self.names.index(shown(value)) for value in values]
            return {
                "label": self.title,
                "values": places,
                "tickvals": [*range(len(self.names))],
                "ticktext": self.names,
            }
        if self.kind == "linear":
            return {"label": self.title, "values": list(values)}
        powers = [math.log10(value) for value in values]
        ticks = sorted({min(powers), *range(math.ceil(min(powers)), math.ceil(max(powers))), max(powers)})
        return {"label": self.title, "values": powers, "tickvals": ticks, "ticktext": [f"{10**at:.3g}" for at in ticks]}


def page(summary: Summary, folder: Path) -> str:
    """The HTML, with links relative to `folder`."""
    from plotly.offline import get_plotlyjs

    begun = escape(min(run.started for run in summary.runs).replace("T", " "))
    header, *rows = cells(summary)
    mean = escape(summary.monitor)
    parts = [
        f"<h1>{escape(summary.name)}</h1>",
        f"<p>{escape(said_of(summary))}. Begun {begun}; this page: {datetime.now():%Y-%m-%d %H:%M:%S}.</p>",
        _section(f"{mean}, best first", "Mean over seeds, and its 95 % interval by Student's t."),
        _table(header, [[escape(cell) for cell in row] for row in rows]),
    ]
    if summary.best:
        parts.append(f"<p>The best again:</p><pre>{escape(summary.best.command)}</pre>")
    if summary.varied and summary.best:
        note = "A dot is a run (a ring: not finished), a line the means of rows that differ in nothing else."
        parts += [_section(f"{mean} by each value that varied", note)]
        parts += [_drawn(*(_by_value(key, summary) for key in summary.varied))]
        parts += [_section("All values together", "Dark is best. Drag along an axis to choose runs.")]
        parts += [_drawn(_parallel(summary))]
    parts += [_section("Learning curves", "Dark is best. Point at a curve to see which run it is.")]
    parts += [_drawn(_curves(summary)), _section("Runs"), _runs(summary, folder)]
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(summary.name)}</title>'
        f"<style>{STYLE}</style><script>{get_plotlyjs()}</script></head>\n<body>{''.join(parts)}</body></html>\n"
    )


def _section(title: str, note: str = "") -> str:
    return f'<h2>{title}</h2><p class="note">{note}</p>'


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows are HTML, the header is text."""
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    heads = "".join(f"<th>{escape(name)}</th>" for name in header)
    return f'<div class="table"><table><tr>{heads}</tr>{"".join(f"<tr>{line}</tr>" for line in lines)}</table></div>'


def _drawn(*figures: Figure) -> str:
    plots = []
    for traces, layout in figures:
        layout = {"template": "none", "margin": {"t": 30, "r": 30}} | layout
        given = json.dumps([traces, layout]).replace("<", "\\u003c")  # or a text could end the script
        draw = f"Plotly.newPlot(document.currentScript.previousElementSibling, ...{given}, {{responsive: true}})"
        plots.append(f"<div></div><script>{draw}</script>")
    return f'<div class="plots">{"".join(plots)}</div>'


def _by_value(key: str, summary: Summary) -> Figure:
    runs = [run for run in summary.runs if run.value is not None]
    x, y = Axis(key, [run.settings[key] for run in runs]), Axis(summary.monitor, [run.value for run in runs])
    dots = {
        "x": [x.place(run.settings[key]) for run in runs],
        "y": [run.value for run in runs],
        "text": [f"{escape(_label(run))}<br>{run.value:.6g}" for run in runs],
        "mode": "markers",
        "hoverinfo": "text",
        "marker": {
            "color": COLOURS[3],
            "size": 8,
            "symbol": ["circle" if run.status == "finished" else "circle-open" for run in runs],
        },
    }
    lines = defaultdict(list)
    for row in sorted(summary.rows, key=lambda row: _order(row.settings[key])):
        others = tuple(value for other, value in row.settings.items() if other != key)
        lines[others].append((x.place(row.settings[key]), row.mean))
    points = [point for line in lines.values() for point in [*line, (None, None)]]
    means = {"x": [at for at, _ in points], "y": [mean for _, mean in points], "mode": "lines", "hoverinfo": "skip"}
    means |= {"line": {"color": "#999999", "width": 1.5}}
    return [means, dots], {"xaxis": x.layout(), "yaxis": y.layout(), "showlegend": False, "hovermode": "closest"}


def _order(value: Value) -> tuple[bool, float, str]:
    """As an axis has it: numbers by size, anything else by name."""
    return (False, value, "") if is_number(value) else (True, 0.0, shown(value))


def _parallel(summary: Summary) -> Figure:
    runs = [run for run in summary.runs if run.value is not None]
    columns = {key: [run.settings[key] for run in runs] for key in summary.varied}
    columns[summary.monitor] = [run.value for run in runs]
    dimensions = [Axis(title, values).dimension(values) for title, values in columns.items()]
    scale = [[index / (len(COLOURS) - 1), colour] for index, colour in enumerate(COLOURS)]
    line = {"color": dimensions[-1]["values"], "colorscale": scale, "reversescale": summary.mode == "max"}
    return [{"type": "parcoords", "dimensions": dimensions, "line": line}], {"margin": {"t": 70, "l": 90, "r": 60}}


def _curves(summary: Summary) -> Figure:
    curves = {run.path: _curve(run, summary.monitor) for run in summary.runs}
    stride = 1 + sum(map(len, curves.values())) // POINTS
    traces = []
    for rank, row in reversed(list(enumerate(summary.rows))):  # the best is drawn last, on top
        colour = COLOURS[round(rank / max(1, len(summary.rows) - 1) * (len(COLOURS) - 1))]
        name = escape(", ".join(f"{key}={shown(value)}" for key, value in row.settings.items()) or summary.name)
        for index, run in enumerate(row.runs):
            curve = curves[run.path][::-1][::stride][::-1]  # has the last point
            trace: dict[str, Any] = {"x": [step for step, _ in curve], "y": [value for _, value in curve], "name": name}
            trace |= {"mode": "lines" if len(curve) > 1 else "markers", "line": {"color": colour, "width": 1.5}}
            trace |= {"legendgroup": str(rank), "legendrank": rank, "showlegend": index == 0}
            hover = escape(_label(run)).replace("%", "&#37;")
            traces.append(trace | {"hovertemplate": f"{hover}<br>step %{{x}}: %{{y:.6g}}<extra></extra>"})
    y = Axis(summary.monitor, [value for curve in curves.values() for _, value in curve])
    legend = {"showlegend": len(summary.rows) <= NAMED, "hovermode": "closest"}
    return traces, {"xaxis": Axis("step", []).layout(), "yaxis": y.layout(), **legend}


def _curve(run: Run, metric: str) -> list[tuple[float, float]]:
    """Steps and values; nothing where the run logged none, or its file is damaged."""
    try:
        with (run.path / "metrics.csv").open(newline="") as file:
            points = [(float(line["step"]), float(line[metric])) for line in csv.DictReader(file) if line[metric]]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return []
    return [point for point in points if all(map(math.isfinite, point))]


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


def _label(run: Run) -> str:
    return f"{run.path.name}: " + ", ".join(f"{key}={shown(value)}" for key, value in run.settings.items())
