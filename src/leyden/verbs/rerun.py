"""The same run again, in a new folder."""

from collections.abc import Sequence

from leyden.runs.folder import RunFolder


def rerun_overrides(folder: str, overrides: Sequence[str]) -> list[str]:
    """The words that composed the run, with `overrides` in place of those that set the same keys or groups.

    Raises UserError for a folder that is no run.
    """
    run = RunFolder.open(folder)
    run.config()  # of a format that we know
    keys = {word.lstrip("+~").split("=")[0] for word in [*overrides, "rerun="]}
    return [*run.overrides(without=keys), f"rerun={run.path.resolve()}", *overrides]
