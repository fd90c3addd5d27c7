"""What went wrong, in one line, for the person who typed the command."""

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


def explain(error: BaseException) -> str | None:
    """One line for a mistake that the user can put right; None for what may be a fault of the program."""
    if isinstance(error, UserError | OSError):
        return one_line(str(error))
    if isinstance(error, HydraException) and isinstance(error.__cause__, UserError):  # raised by what a config builds
        return str(error.__cause__)
    if isinstance(error, HydraException | OmegaConfBaseException):
        cause = f" ({error.__cause__})" if error.__cause__ is not None else ""
        return one_line(f"{error}{cause}")
    lightning = sys.modules.get("lightning.fabric.utilities.exceptions")  # what was not imported was not raised
    if lightning is not None and isinstance(error, lightning.MisconfigurationException):
        return one_line(str(error))
    if isinstance(error, ValueError | RuntimeError) and raised_in(error).startswith(OF_THE_TRAINER):
        return None if own_place(error) else one_line(str(error))
    return None


def one_line(text: str) -> str:
    return " ".join(text.split())


def fail(error: Exception, unexplained: Callable[[Exception], str] = whole) -> NoReturn:
    """Exit with status 1 and that line on standard error, or with what `unexplained` says of a fault of the program."""
    line = explain(error)
    print(unexplained(error).rstrip("\n") if line is None else f"error: {line}", file=sys.stderr)
    sys.exit(1)
