"""What runs came to, for who looks at many."""

import json
import time
from pathlib import Path
from typing import Any

from leyden.errors import UserError
from leyden.runs.folder import FORMAT, RunFolder

STARTUP_SECONDS = 60


def results(folder: Path) -> list[dict[str, Any]]:
    """The results of all runs under the folder, and of itself where it is one. Raises UserError where it is none."""
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    return [read_result(file) for file in sorted(folder.rglob("result.json"))]


def read_result(file: Path) -> dict[str, Any]:
    """A run's `result.json`, with the `path` of its folder, and as `folder` the same as text.

    The status is `damaged` where it cannot be read, `format N` where another version has written it, and `killed` where
    it says running but no process of this machine trains the run.
    """
    unknown = {
        "name": "?",
        "started": "?",
        "status": "damaged",
        "monitor": {"name": "?", "value": None},
        "seconds": 0.0,
    }
    try:
        result = json.loads(file.read_text())
        if result["format"] != FORMAT:
            result = unknown | {"status": f"format {result['format']}"}
        (
            float(result["seconds"]),
            result["monitor"]["name"],
            result["monitor"]["value"],
            result["name"],
            result["started"],
        )
        begun = time.time() - file.stat().st_mtime > STARTUP_SECONDS  # before, it may be importing torch
        if result["status"] == "running" and begun and not RunFolder(file.parent).is_locked():
            result["status"] = "killed"
    except (ValueError, TypeError, KeyError, OSError, OverflowError, RecursionError):
        result = unknown
    return dict(result) | {"path": file.parent, "folder": str(file.parent)}
