"""Values as Hydra reads them on a command line."""

from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException

from leyden.errors import UserError


def value_of(key: str, text: str) -> Any:
    """What `key=text` sets the key to: 1e-2 is a number, [1,2] a list. Raises UserError for what is no value."""
    try:
        override = OverridesParser.create().parse_override(f"{key}={text}")
    except OverrideParseException as error:
        raise UserError(f"{key}={text}: {error}") from error
    if override.is_sweep_override():
        raise UserError(f"{key}={text}: takes one value; a list is written [1,2]")
    return override.value()
