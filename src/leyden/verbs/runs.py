"""A table of runs."""

import json
from pathlib import Path
from typing import Any, Literal

import yaml  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from leyden.config.values import value_of
from leyden.errors import UserError
from leyden.verbs.report import show

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def runs(
    *folders: str,
    sort: Literal["when", "value", "seconds", "folder"] = "when",
    status: Literal["running", "finished", "failed", "interrupted", "pruned"] | None = None,
    **overrides: str,
) -> list[dict[str, Any]]:
    """List runs: experiment, when, status, monitored value, seconds and folder.

    All under logs/, or under the folders that are named. KEY=VALUE lists those whose config has that value, such as
    model.hidden_features=8 or seed=3; sort=value puts the best first.
    """
    found = [run for folder in folders or ("logs",) for run in _read(Path(folder))]
    found = [run for run in found if status in (None, run["status"]) and _matches(run["path"], overrides)]
    if sort == "value":
        found.sort(key=_rank)
    else:
        key = {"when": "started", "seconds": "seconds", "folder": "folder"}[sort]
        found.sort(key=lambda run: run[key], reverse=sort != "folder")
    if not found:
        where = " ".join(folders) or "logs"
        raise UserError(f"{where}: no run is there" + (" that fits" if overrides or status else ""))
    table = Table("experiment", "when", "status", "monitored", "value", "seconds", "folder", box=None, pad_edge=False)
    for run in found:
        monitor, value = run["monitor"], run["monitor"]["value"]
        shown = "" if value is None else f"{value:.6g}"
        when = run["started"].replace("T", " ")
        table.add_row(run["name"], when, run["status"], monitor["name"], shown, f"{run['seconds']:.1f}", run["folder"])
    show(Console(), table, f"{len(found):,} runs")
    return found


def _read(folder: Path) -> list[dict[str, Any]]:
    """The results of all runs under the folder, and of itself where it is one. A damaged one is listed as such."""
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    return [_result(file) for file in sorted(folder.rglob("result.json"))]


def _result(file: Path) -> dict[str, Any]:
    unknown = {
        "name": "?",
        "started": "?",
        "status": "damaged",
        "monitor": {"name": "?", "value": None},
        "seconds": 0.0,
    }
    try:
        result: dict[str, Any] = unknown | json.loads(file.read_text())
    except (ValueError, TypeError, OSError):
        result = unknown
    return result | {"path": file.parent, "folder": str(file.parent)}


def _matches(path: Path, overrides: dict[str, str]) -> bool:
    """Whether the run's config has every one of the values."""
    if not overrides:
        return True
    try:
        config = yaml.load((path / "config.yaml").read_text(), Loader)
    except (yaml.YAMLError, OSError):
        return False
    return all(_value(config, key) == value_of(key, text) for key, text in overrides.items())


def _value(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return config


def _rank(run: dict[str, Any]) -> float:
    """Small for a good value, whichever way is better; a run without one comes last."""
    value = run["monitor"]["value"]
    return float("inf") if value is None else float(value) * (-1 if run["monitor"].get("mode") == "max" else 1)
