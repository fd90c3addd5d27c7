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

WIDE = 10  # values that span this factor stand on a logarithmic axis
WIDE_METRIC = 20  # an accuracy that has grown from 0.1 to 1 does not
POINTS = 20_000  # of all learning curves together: more would make the page slow
NAMED = 10  # rows that a legend has place for
LEGEND = 50  # characters of such a name: with longer ones there is no legend, which would leave no place for the curves
MARKED = 8  # values: each of so few has its own tick
JOINED = 30  # values: the means of more, drawn at random most likely, are not joined by a line
# Best to worst: viridis without its last yellow, which is hard to see on white.
COLOURS = ("#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58")


class Axis:
    """Where values stand: numbers on a linear or a logarithmic axis, anything else side by side."""

    def __init__(self, title: str, values: Sequence[Value], wide: float = WIDE_METRIC, marked: bool = False) -> None:
        self.title = escape(title)
        self.names = sorted({shown(value) for value in values})
        numbers = sorted({value for value in values if is_number(value)})
        self.kind = "category" if any(not is_number(value) for value in values) else "linear"
        if self.kind == "linear" and numbers and numbers[0] > 0 and numbers[-1] / numbers[0] >= wide * (1 - 1e-9):
            self.kind = "log"
        self.marks = numbers if marked and len(numbers) <= MARKED else []

    def place(self, value: Value) -> Value:
        return escape(shown(value)) if self.kind == "category" else value

    def layout(self) -> dict[str, Any]:
        layout: dict[str, Any] = {"title": {"text": self.title}, "type": self.kind}
        layout |= {"automargin": True, "gridcolor": "#e5e5e5"}
        if self.kind == "category":
            return layout | {"categoryarray": [escape(name) for name in self.names]}
        marks = {"tickvals": self.marks, "ticktext": [shown(mark) for mark in self.marks]} if self.marks else {}
        return layout | {"exponentformat": "e", "minorloglabels": "complete"} | marks

    def dimension(self, values: Sequence[Any]) -> dict[str, Any]:
        """The same for parallel coordinates, which know numbers alone."""
        if self.kind == "category":
            places = [self.names.index(shown(value)) for value in values]
            marks = {"tickvals": [*range(len(self.names))], "ticktext": self.names}
            return {"label": self.title, "values": places, **marks}
        place = math.log10 if self.kind == "log" else float
        ticks, texts = self.marks, [shown(mark) for mark in self.marks]
        if self.kind == "log" and not ticks:
            decades = range(math.ceil(place(min(values))), math.ceil(place(max(values))))
            ticks = sorted({min(values), *(10.0**power for power in decades), max(values)})
            texts = [f"{tick:.3g}" for tick in ticks]
        marks = {"tickvals": [place(tick) for tick in ticks], "ticktext": texts} if ticks else {}
        return {"label": self.title, "values": [place(value) for value in values], **marks}


def of_key(key: str, summary: Summary) -> Axis:
    """For what varied: logarithmic where it was searched so, or is spaced so."""
    values = [run.settings[key] for run in summary.runs]
    return Axis(key, values, wide=1 if key in summary.plan.log else WIDE, marked=True)


def by_value(key: str, objective: str, summary: Summary) -> Figure:
    """An objective against one of what varied: runs as dots, the means of rows as lines."""
    runs, x = _with_value(summary.runs, objective), of_key(key, summary)
    dots = _dots(runs, objective) | {"x": [x.place(run.settings[key]) for run in runs]}
    lines = defaultdict(list)
    for row in sorted(summary.rows, key=lambda row: _order(row.settings[key])):
        mean = row.estimates[objective].mean
        if mean is not None:
            others = tuple(value for other, value in row.settings.items() if other != key)
            lines[others].append((x.place(row.settings[key]), mean))
    joined = lines.values() if len(x.names) <= JOINED else []
    points = [point for line in joined for point in [*line, (None, None)]]
    means = {"x": [at for at, _ in points], "y": [mean for _, mean in points], "mode": "lines", "hoverinfo": "skip"}
    means |= {"line": {"color": "#999999", "width": 1.5}}
    y = Axis(objective, [run.objectives[objective] for run in runs])
    return [means, dots], {"xaxis": x.layout(), "yaxis": y.layout(), "showlegend": False, "hovermode": "closest"}


def front(summary: Summary) -> Figure:
    """The rows by two objectives; a line joins those that no other beats."""
    names = list(summary.objectives)
    known = [row for row in summary.rows if math.inf not in row.costs]
    means = [[row.estimates[name].mean for row in known] for name in names]
    labels = [_named(row.settings) for row in known]
    colours = [COLOURS[0] if row in summary.front else COLOURS[-1] for row in known]
    dots: dict[str, Any] = {"x": means[0], "y": means[1], "mode": "markers", "marker": {"color": colours, "size": 9}}
    dots |= {
        "text": [escape(label) for label in labels],
        "hovertemplate": "%{text}<br>%{x:.6g}, %{y:.6g}<extra></extra>",
    }
    of_front = [[row.estimates[name].mean for row in summary.front] for name in names]
    line: dict[str, Any] = {"x": of_front[0], "y": of_front[1], "mode": "lines", "hoverinfo": "skip"}
    line |= {"line": {"color": COLOURS[0], "width": 1.5}}
    x, y = (Axis(name, values).layout() for name, values in zip(names, means, strict=True))
    return [line, dots], {"xaxis": x, "yaxis": y, "showlegend": False, "hovermode": "closest"}


def parallel(summary: Summary) -> Figure:
    """A line for each run through all that varied, coloured by the first objective."""
    runs = [run for run in summary.runs if None not in run.objectives.values()]
    dimensions = [of_key(key, summary).dimension([run.settings[key] for run in runs]) for key in summary.varied]
    for name in summary.objectives:
        values = [run.objectives[name] for run in runs]
        dimensions.append(Axis(name, values).dimension(values))
    better = 1 if next(iter(summary.objectives.values())) == "max" else -1
    places = dimensions[len(summary.varied)]["values"]
    goodness = [better * place for place in places]  # where lines meet, the largest is drawn on top
    scale = [[index / (len(COLOURS) - 1), colour] for index, colour in enumerate(reversed(COLOURS))]
    fonts = {"labelfont": {"size": 14}, "tickfont": {"size": 12}, "rangefont": {"size": 12}}
    trace = {"type": "parcoords", "dimensions": dimensions, "line": {"color": goodness, "colorscale": scale}} | fonts
    return [trace], {"margin": {"t": 80, "l": 90, "r": 60}}


def curves(metric: str, summary: Summary) -> Figure | None:
    """A metric over the steps, coloured by the rank of the row; None where no run has logged it."""
    points = {run.path: _curve(run, metric) for run in summary.runs}
    values = [value for curve in points.values() for _, value in curve]
    stride = 1 + len(values) // POINTS
    names = [_named(row.settings) or summary.name for row in summary.rows]
    traces = []
    for rank, row in reversed(list(enumerate(summary.rows))):  # the best is drawn last, on top
        colour = COLOURS[round(rank / max(1, len(summary.rows) - 1) * (len(COLOURS) - 1))]
        for index, run in enumerate(run for run in row.runs if points[run.path]):
            curve = points[run.path][::-1][::stride][::-1]  # has the last point
            trace: dict[str, Any] = {"x": [step for step, _ in curve], "y": [value for _, value in curve]}
            trace |= {"mode": "lines" if len(curve) > 1 else "markers", "marker": {"color": colour}}
            trace |= {"line": {"color": colour, "width": 1.5}, "name": escape(names[rank])}
            trace |= {"legendgroup": str(rank), "legendrank": rank, "showlegend": index == 0}
            label = _label(run).replace("%", "&#37;")
            traces.append(trace | {"hovertemplate": f"{label}<br>step %{{x}}: %{{y:.6g}}<extra></extra>"})
    axes = {"xaxis": Axis("step", []).layout(), "yaxis": Axis(metric, values).layout()}
    legend = len(names) <= NAMED and max(map(len, names)) <= LEGEND
    return (traces, axes | {"showlegend": legend, "hovermode": "closest"}) if values else None


def history(runs: Sequence[Run], objective: str, summary: Summary) -> Figure:
    """The value of each trial in the order of their numbers, and the best so far of those that finished."""
    runs = _with_value(runs, objective)
    finished = [run for run in runs if run.status == "finished"]
    values = [value for run in finished if (value := run.objectives[objective]) is not None]
    best = accumulate(values, max if summary.objectives[objective] == "max" else min)
    line: dict[str, Any] = {"x": [int(run.path.name) for run in finished], "y": list(best), "mode": "lines"}
    line |= {"line": {"color": COLOURS[0], "width": 1.5, "shape": "hv"}, "hoverinfo": "skip"}
    dots = _dots(runs, objective) | {"x": [int(run.path.name) for run in runs]}
    y = Axis(objective, [run.objectives[objective] for run in runs])
    axes = {"xaxis": Axis("trial", []).layout(), "yaxis": y.layout()}
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
    axes["yaxis"] |= {"categoryarray": trace["y"], "ticksuffix": "&nbsp; "}
    return [trace], axes | {"showlegend": False}


def _dots(runs: Sequence[Run], objective: str) -> dict[str, Any]:
    """Runs by their values, a ring for what is not finished; where they stand on the other axis is left open."""
    return {
        "y": [run.objectives[objective] for run in runs],
        "text": [f"{_label(run)}<br>{run.objectives[objective]:.6g}" for run in runs],
        "mode": "markers",
        "hoverinfo": "text",
        "marker": {
            "color": COLOURS[3],
            "size": 8,
            "opacity": 0.7,
            "symbol": ["circle" if run.status == "finished" else "circle-open" for run in runs],
        },
    }


def _with_value(runs: Sequence[Run], objective: str) -> list[Run]:
    return [run for run in runs if run.objectives[objective] is not None]


def _named(settings: Mapping[str, Value]) -> str:
    return ", ".join(f"{key}={shown(value)}" for key, value in settings.items())


def _label(run: Run) -> str:
    return escape(f"{run.path.name}: {_named(run.settings)}")


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
