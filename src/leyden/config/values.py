"""The values of a config as a command line has them, and the names of all that is in it."""

from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException
from omegaconf import OmegaConf

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


def call_of_figure(value: Any) -> Any:
    """A figure is named by its function alone, or by a `_target_` with arguments; it is called when it is drawn."""
    values = {"_target_": value} if isinstance(value, str) else value
    return {**values, "_partial_": True} if isinstance(values, dict) else values


def full_keys(values: Any) -> list[str]:
    """The dotted names of everything in a config, or in nested mappings."""
    return list(by_full_key(values))


def by_full_key(values: Any, prefix: str = "") -> dict[str, Any]:
    """Everything in a config, or in nested mappings, by its dotted name: first what is above."""
    if OmegaConf.is_config(values):
        values = OmegaConf.to_container(values)
    if not isinstance(values, dict):
        return {}
    flat = {f"{prefix}{name}": value for name, value in values.items()}
    for name, value in values.items():
        flat |= by_full_key(value, f"{prefix}{name}.")
    return flat
