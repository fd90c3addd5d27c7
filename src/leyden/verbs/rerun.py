"""The same run again, in a new folder."""

import sys
from collections.abc import Sequence
from pathlib import Path

from leyden.runs.folder import RunFolder
from leyden.runs.provenance import differences, provenance


def rerun_overrides(folder: str, overrides: Sequence[str], project: Path) -> list[str]:
    """The words that composed the run, with `overrides` in place of those that set the same keys.

    Says on standard error where code, packages or data are not what they were. Raises UserError for a folder that is no
    run.
    """
    run = RunFolder.open(folder)
    before = run.provenance()
    if before is not None:
        for line in differences(before, provenance(project, [], None)):
            print(f"differs from {run}: {line}", file=sys.stderr)
    keys = {word.lstrip("+~").split("=")[0] for word in overrides}
    return [*run.overrides(without=keys), *overrides]
