"""What sets two runs apart."""

from typing import Any

from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from leyden.runs.folder import RunFolder
from leyden.runs.provenance import differences
from leyden.runs.safe_yaml import flat
from leyden.terminal import show


def diff(a: str, b: str) -> None:
    """Show which config values, code and packages differ between two runs, and their metrics side by side."""
    runs = RunFolder.open(a), RunFolder.open(b)
    configs = [_without_folder(flat(OmegaConf.to_container(run.config()))) for run in runs]
    metrics = [run.result()["metrics"] for run in runs]
    made_of = [run.provenance() for run in runs]
    console = Console()
    changed = _side_by_side("config", *configs, only_different=True)
    show(console, changed if changed.row_count else "config: the same")
    if all(made_of):
        show(console, "", *(differences(made_of[0], made_of[1]) or ["code, packages and data: the same"]))
    show(console, "", _side_by_side("metric", *metrics, only_different=False))


def _without_folder(config: dict[str, Any]) -> dict[str, Any]:
    """The config with `...` for the run's own folder, in which any two runs differ."""
    folder = str(config.get("paths.run_dir"))
    return {key: value.replace(folder, "...") if isinstance(value, str) else value for key, value in config.items()}


def _side_by_side(what: str, a: dict[str, Any], b: dict[str, Any], *, only_different: bool) -> Table:
    table = Table(what, "a", "b", box=None, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for key in dict.fromkeys([*a, *b]):
        left, right = a.get(key, "-"), b.get(key, "-")
        if not (only_different and left == right):
            table.add_row(key, *(f"{value:.6g}" if isinstance(value, float) else str(value) for value in (left, right)))
    return table
