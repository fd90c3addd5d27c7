"""The same run again, in a new folder."""

from collections.abc import Sequence

from leyden.config.targets import refuse_untrusted
from leyden.runs.folder import RunFolder


def rerun_overrides(folder: str, overrides: Sequence[str]) -> list[str]:
    """The words that composed the run, with `overrides` in place of those that set the same keys or groups.

    Raises UserError for a folder that is no run, or whose words could make it run any code.
    """
    run = RunFolder.open(folder)
    run.config()  # of a format that we know
    refuse_untrusted(run.overrides(), str(run))
    keys = {word.lstrip("+~").split("=")[0] for word in [*overrides, "rerun="]}
    return [*run.overrides(without=keys), f"rerun={run.path.resolve()}", *overrides]
