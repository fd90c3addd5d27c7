"""The figures of a sweep's page: traces and layouts as plotly.js draws them."""

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape
from itertools import accumulate
from typing import Any

from leyden.sweeps.summary import Run, Summary, Value, is_number, shown

Figure = tuple[list[dict[str, Any]], dict[str, Any]]  # traces and layout; texts in it are HTML to plotly.js

WIDE = 20  # values that span more than this factor stand on a logarithmic axis
POINTS = 20_000  # of all learning curves together: more would make the page slow
NAMED = 12  # rows that a legend can name
LEGEND = 50  # characters of such a name: a longer one would leave no place for the curves
JOINED = 30  # values: the means of more, drawn at random most likely, are not joined by a line
# Best to worst: viridis without its last yellow, which is hard to see on white.
COLOURS = ("#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58")


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


def by_value(key: str, summary: Summary) -> Figure:
    """The monitored value against one that varied: runs as dots, the means of rows as lines."""
    runs = _with_value(summary)
    x, y = Axis(key, [run.settings[key] for run in runs]), Axis(summary.monitor, [run.value for run in runs])
    dots = _dots(runs) | {"x": [x.place(run.settings[key]) for run in runs]}
    lines = defaultdict(list)
    for row in sorted(summary.rows, key=lambda row: _order(row.settings[key])):
        if row.mean is not None:
            others = tuple(value for other, value in row.settings.items() if other != key)
            lines[others].append((x.place(row.settings[key]), row.mean))
    joined = lines.values() if len(x.names) <= JOINED else []
    points = [point for line in joined for point in [*line, (None, None)]]
    means = {"x": [at for at, _ in points], "y": [mean for _, mean in points], "mode": "lines", "hoverinfo": "skip"}
    means |= {"line": {"color": "#999999", "width": 1.5}}
    return [means, dots], {"xaxis": x.layout(), "yaxis": y.layout(), "showlegend": False, "hovermode": "closest"}


def parallel(summary: Summary) -> Figure:
    """A line for each run through all that varied, coloured by the monitored value."""
    runs = _with_value(summary)
    columns = {key: [run.settings[key] for run in runs] for key in summary.varied}
    columns[summary.monitor] = [run.value for run in runs]
    dimensions = [Axis(title, values).dimension(values) for title, values in columns.items()]
    better = 1 if summary.mode == "max" else -1
    goodness = [better * place for place in dimensions[-1]["values"]]  # where lines meet, the largest is drawn on top
    scale = [[index / (len(COLOURS) - 1), colour] for index, colour in enumerate(reversed(COLOURS))]
    fonts = {"labelfont": {"size": 14}, "tickfont": {"size": 12}, "rangefont": {"size": 12}}
    trace = {"type": "parcoords", "dimensions": dimensions, "line": {"color": goodness, "colorscale": scale}} | fonts
    return [trace], {"margin": {"t": 80, "l": 90, "r": 60}}


def curves(summary: Summary) -> Figure | None:
    """The monitored metric over the steps, coloured by the rank of the row; None where no run has logged it."""
    points = {run.path: _curve(run, summary.monitor) for run in summary.runs}
    values = [value for curve in points.values() for _, value in curve]
    stride = 1 + len(values) // POINTS
    traces = []
    for rank, row in reversed(list(enumerate(summary.rows))):  # the best is drawn last, on top
        colour = COLOURS[round(rank / max(1, len(summary.rows) - 1) * (len(COLOURS) - 1))]
        name = ", ".join(f"{key}={shown(value)}" for key, value in row.settings.items()) or summary.name
        shortened = escape(name if len(name) <= LEGEND else f"{name[:LEGEND]} ...")
        for index, run in enumerate(run for run in row.runs if points[run.path]):
            curve = points[run.path][::-1][::stride][::-1]  # has the last point
            trace: dict[str, Any] = {"x": [step for step, _ in curve], "y": [value for _, value in curve]}
            trace |= {"mode": "lines" if len(curve) > 1 else "markers", "marker": {"color": colour}}
            trace |= {"line": {"color": colour, "width": 1.5}, "name": shortened}
            trace |= {"legendgroup": str(rank), "legendrank": rank, "showlegend": index == 0}
            label = _label(run).replace("%", "&#37;")
            traces.append(trace | {"hovertemplate": f"{label}<br>step %{{x}}: %{{y:.6g}}<extra></extra>"})
    axes = {"xaxis": Axis("step", []).layout(), "yaxis": Axis(summary.monitor, values).layout()}
    layout = axes | {"showlegend": len(summary.rows) <= NAMED, "hovermode": "closest"}
    return (traces, layout) if values else None


def history(runs: Sequence[Run], summary: Summary) -> Figure:
    """The value of each trial in the order of their numbers, and the best so far of those that finished."""
    runs = [run for run in runs if run.value is not None]
    finished = [(int(run.path.name), run.value) for run in runs if run.status == "finished" and run.value is not None]
    best = accumulate((value for _, value in finished), max if summary.mode == "max" else min)
    line: dict[str, Any] = {"x": [number for number, _ in finished], "y": list(best), "mode": "lines"}
    line |= {"line": {"color": COLOURS[0], "width": 1.5, "shape": "hv"}, "hoverinfo": "skip"}
    dots = _dots(runs) | {"x": [int(run.path.name) for run in runs]}
    axes = {"xaxis": Axis("trial", []).layout(), "yaxis": Axis(summary.monitor, [run.value for run in runs]).layout()}
    return [line, dots], axes | {"showlegend": False, "hovermode": "closest"}


def bars(importances: Mapping[str, float]) -> Figure:
    """The importance of each key, the highest on top."""
    keys = list(importances)[::-1]
    trace: dict[str, Any] = {
        "type": "bar",
        "orientation": "h",
        "y": [escape(key) for key in keys],
        "x": [importances[k] for k in keys],
    }
    trace |= {"marker": {"color": COLOURS[3]}, "hoverinfo": "x"}
    axes = {"xaxis": Axis("importance", []).layout() | {"range": [0, 1]}, "yaxis": Axis("", keys).layout()}
    axes["yaxis"] |= {"categoryarray": trace["y"]}
    return [trace], axes | {"showlegend": False}


def _dots(runs: Sequence[Run]) -> dict[str, Any]:
    """Runs by their values, a ring for what is not finished; where they stand on the other axis is left open."""
    return {
        "y": [run.value for run in runs],
        "text": [f"{_label(run)}<br>{run.value:.6g}" for run in runs],
        "mode": "markers",
        "hoverinfo": "text",
        "marker": {
            "color": COLOURS[3],
            "size": 8,
            "opacity": 0.7,
            "symbol": ["circle" if run.status == "finished" else "circle-open" for run in runs],
        },
    }


def _with_value(summary: Summary) -> list[Run]:
    return [run for run in summary.runs if run.value is not None]


def _label(run: Run) -> str:
    return escape(f"{run.path.name}: " + ", ".join(f"{key}={shown(value)}" for key, value in run.settings.items()))


def _order(value: Value) -> tuple[bool, float, str]:
    """As an axis has it: numbers by size, anything else by name."""
    return (False, value, "") if is_number(value) else (True, 0.0, shown(value))


def _curve(run: Run, metric: str) -> list[tuple[float, float]]:
    """Steps and values; nothing where the run logged none, or its file is damaged."""
    try:
        with (run.path / "metrics.csv").open(newline="") as file:
            points = [(float(line["step"]), float(line[metric])) for line in csv.DictReader(file) if line[metric]]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return []
    return [point for point in points if all(map(math.isfinite, point))]
