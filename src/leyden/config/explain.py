"""What went wrong, in one line, for the person who typed the command."""

import sys

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from leyden.errors import UserError


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
    return None


def one_line(text: str) -> str:
    return " ".join(text.split())
