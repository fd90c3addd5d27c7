"""What went wrong, a line for each mistake, for the person who typed the command."""

import sys
from collections.abc import Callable
from typing import NoReturn

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from leyden.errors import UserError
from leyden.faults import own_place, raised_in, whole

# What raises there holds what it was given against the data and the metrics.
OF_THE_TRAINER = (
    "lightning.pytorch.loops.fit_loop",
    "lightning.pytorch.trainer.",
    "lightning.pytorch.callbacks.early_stopping",
)


def explain(error: BaseException) -> list[str]:
    """A line for each mistake that the user can put right; none for what may be a fault of the program."""
    if isinstance(error, HydraException) and isinstance(error.__cause__, UserError):  # raised by what a config builds
        error = error.__cause__
    if isinstance(error, UserError):
        return error.lines
    if isinstance(error, HydraException | OmegaConfBaseException):
        cause = f" ({error.__cause__})" if error.__cause__ is not None else ""
        return [one_line(f"{error}{cause}")]
    lightning = sys.modules.get("lightning.fabric.utilities.exceptions")  # what was not imported was not raised
    refused = lightning is not None and isinstance(error, lightning.MisconfigurationException)
    of_the_trainer = isinstance(error, ValueError | RuntimeError) and raised_in(error).startswith(OF_THE_TRAINER)
    if isinstance(error, OSError) or refused or (of_the_trainer and not own_place(error)):
        return [one_line(str(error))]
    return []


def in_one_line(error: BaseException) -> str:
    """Whoever's fault it is."""
    return "; ".join(explain(error)) or f"{type(error).__name__}: {error}".splitlines()[0]


def one_line(text: str) -> str:
    return " ".join(text.split())


def fail(error: Exception, unexplained: Callable[[Exception], str] = whole) -> NoReturn:
    """Exit with status 1. Standard error has a line for each mistake, and the command that was probably meant, which
    stands in the line of a single one; or what `unexplained` says of a fault of the program."""
    lines = [f"error: {line}" for line in explain(error)] or [unexplained(error).rstrip("\n")]
    if isinstance(error, UserError) and error.command:
        if len(lines) == 1:
            end = " Try:" if lines[0].endswith("?") else "; try:"
            lines = [f"{lines[0]}{end} {error.command}"]
        else:
            lines.append(f"try: {error.command}")
    print(*lines, sep="\n", file=sys.stderr)
    sys.exit(1)
