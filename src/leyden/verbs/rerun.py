"""The same run again, in a new folder."""

from collections.abc import Sequence

from leyden.errors import UserError
from leyden.runs.folder import RunFolder


def rerun_overrides(folder: str, overrides: Sequence[str]) -> list[str]:
    """The words that composed the run, with `overrides` in place of those that set the same keys or groups.

    Raises UserError for a folder that is no run, or whose words could make it run any code.
    """
    run = RunFolder.open(folder)
    run.config()  # of a format that we know
    for word in run.overrides():
        if word.startswith("-") or word.lstrip("+~").split("=")[0].split(".")[0] in ("targets", "hydra"):
            raise UserError(f"{run}: its command holds {word}, which no run folder is trusted with: give it again")
    keys = {word.lstrip("+~").split("=")[0] for word in [*overrides, "rerun="]}
    return [*run.overrides(without=keys), f"rerun={run.path.resolve()}", *overrides]
