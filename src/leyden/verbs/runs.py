"""A table of runs."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leyden.config.values import full_keys, value_of
from leyden.errors import UserError
from leyden.nearest import did_you_mean
from leyden.project import project_folder
from leyden.runs.results import results
from leyden.runs.safe_yaml import load_plain
from leyden.terminal import show


def runs(
    *folders: str,
    sort: Literal["when", "value", "seconds", "experiment", "status", "folder"] = "when",
    status: Literal["running", "finished", "failed", "interrupted", "pruned", "killed"] | None = None,
    **overrides: str,
) -> list[dict[str, Any]]:
    """List runs: experiment, when, status, monitored value, seconds and folder.

    All under the project's logs/, or under the folders that are named. KEY=VALUE lists those whose config has that
    value, such as model.hidden_features=8 or seed=3, GROUP=OPTION those that were composed with it. sort=value puts the
    best first, sort=when the newest. A run is killed where its result says running, but no process of this machine
    trains it.
    """
    wanted = {key: value_of(key, text) for key, text in overrides.items()}
    there = [run for folder in folders or (_logs(),) for run in results(Path(folder))]
    found = [run for run in there if status in (None, run["status"]) and _matches(run["path"], wanted)]
    if sort == "value":
        found.sort(key=_rank)
    else:
        key = {"when": "started", "experiment": "name"}.get(sort, sort)
        found.sort(key=lambda run: run[key], reverse=sort == "when")
    if not found:
        where = " ".join(folders) or _logs()
        raise UserError(
            f"{where}: no run is there" + (" that fits" if overrides or status else "") + _unknown(there, overrides)
        )
    table = Table("experiment", "when", "status", "monitored", "value", "seconds", box=None, pad_edge=False)
    table.add_column("folder", no_wrap=True, overflow="ignore")
    for run in found:
        value = run["monitor"]["value"]
        shown = "" if value is None else f"{value:.6g}"
        when = run["started"].replace("T", " ")
        row = run["name"], when, run["status"], run["monitor"]["name"], shown, f"{run['seconds']:.1f}", run["folder"]
        table.add_row(*(Text(cell) for cell in row))
    # A folder's name is there to be copied: it is never cut, whatever the terminal's width.
    console = Console()
    console.width = max(console.width, 90 + max(len(run["folder"]) for run in found))
    show(console, table, f"{len(found):,} runs")
    return found


def _logs() -> str:
    """The project's folder of runs, as one would type it here."""
    return os.path.relpath(project_folder(Path.cwd()) / "logs")


def _matches(path: Path, wanted: dict[str, Any]) -> bool:
    """Whether the run's config has every one of the values, or the run was composed with that option of a group."""
    if not wanted:
        return True
    try:
        config, words = load_plain(path / "config.yaml"), load_plain(path / ".hydra" / "overrides.yaml")
    except (UserError, OSError):
        return False
    return all(_value(config, key) == value or f"{key}={value}" in words for key, value in wanted.items())


def _unknown(there: Sequence[dict[str, Any]], overrides: Mapping[str, str]) -> str:
    """Which of the keys none of the runs has, and what was probably meant; nothing where all are some run's."""
    keys: dict[str, None] = {}
    for run in there if overrides else ():
        with contextlib.suppress(UserError, OSError):
            keys |= dict.fromkeys(full_keys(load_plain(run["path"] / "config.yaml")))
    lost = [
        key
        for key in overrides
        if keys and key not in keys and not (project_folder(Path.cwd()) / "configs" / key).is_dir()
    ]
    return "".join(f"; none has a key {key}{did_you_mean(key, keys)}" for key in lost)


def _value(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return config


def _rank(run: dict[str, Any]) -> float:
    """Small for a good value, whichever way is better; a run without one comes last."""
    value = run["monitor"]["value"]
    return float("inf") if value is None else float(value) * (-1 if run["monitor"].get("mode") == "max" else 1)
