"""The files of a sweep's report: `sweep.csv`, `sweep.json` and `sweep.html`."""

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leyden.errors import UserError
from leyden.files import write_whole
from leyden.sweeps.importance import importances
from leyden.sweeps.page import page
from leyden.sweeps.summary import Estimate, Row, Run, Summary

FORMAT = 1  # of sweep.json


def write(summary: Summary, folder: Path) -> list[Path]:
    """Write the three files, each whole, with paths relative to `folder`. Raises UserError where that cannot be."""
    importance = importances(summary)
    texts = {
        "sweep.csv": as_csv(summary, folder),
        "sweep.json": as_json(summary, folder, importance),
        "sweep.html": page(summary, folder, importance),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_whole(folder / name, text.encode())
    except OSError as error:
        message = f"{folder}: the report cannot be written there ({error.strerror}); output=DIR names another folder"
        raise UserError(message) from error
    return [folder / name for name in texts]


def as_csv(summary: Summary, folder: Path) -> str:
    """A line for each run; what is not known is empty."""
    keys = [*summary.varied, "seed"]
    metrics = list(dict.fromkeys(name for run in summary.runs for name in run.metrics))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["folder", "status", *keys, f"{summary.monitor} (best)", *metrics, "seconds", "code", "error"])
    for run in summary.runs:
        settings = [json.dumps(value) if isinstance(value, bool) else value for value in map(run.settings.get, keys)]
        numbers = [run.value, *map(run.metrics.get, metrics), run.seconds]
        code = run.code and run.code[:10]
        writer.writerow([os.path.relpath(run.path, folder), run.status, *settings, *numbers, code, run.error])
    return file.getvalue()


def as_json(summary: Summary, folder: Path, importances: Mapping[str, float]) -> str:
    """Rows, best first, and runs; an interval is [low, high], what is not known null. Of a search, importances, too.

    Of several objectives, a row has mean and interval of each, and says whether it is on the Pareto front.
    """
    content = {
        "format": FORMAT,
        "name": summary.name,
        "monitor": {"name": summary.monitor, "mode": summary.mode},
        "objectives": summary.objectives,
        "varied": summary.varied,
        "best": summary.best.command if summary.best else None,
        "rows": [_row(row, summary, folder) for row in summary.rows],
        "runs": [_run(run, summary.varied, folder) for run in summary.runs],
        **({"importances": importances} if importances else {}),
        "damaged": {os.path.relpath(path, folder): reason for path, reason in summary.damaged.items()},
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _row(row: Row, summary: Summary, folder: Path) -> dict[str, Any]:
    estimates = {name: _estimate(each) for name, each in row.estimates.items()}
    if len(estimates) > 1:
        reached = {"objectives": estimates, "front": row in summary.front}
    else:
        (reached,) = estimates.values()
    return {
        "settings": row.settings,
        **reached,
        "finished": row.count("finished"),
        "failed": row.count("failed"),
        "seconds": row.seconds,
        "command": row.command,
        "runs": [os.path.relpath(run.path, folder) for run in row.runs],
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    mean, margin = estimate.mean, estimate.margin
    interval = None if mean is None or margin is None else [mean - margin, mean + margin]
    return {"mean": mean, "interval": interval, "seeds": len(estimate.values)}


def _run(run: Run, varied: Sequence[str], folder: Path) -> dict[str, Any]:
    return {
        "folder": os.path.relpath(run.path, folder),
        "status": run.status,
        "settings": {key: run.settings[key] for key in varied},
        "seed": run.settings["seed"],
        "value": run.value,
        "metrics": run.metrics,
        "seconds": run.seconds,
        "code": run.code,
        "error": run.error,
    }
