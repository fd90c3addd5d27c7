"""Interpolations of a config that name nothing: which key holds them, where it was set, and what was probably meant."""

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from omegaconf.basecontainer import BaseContainer
from omegaconf.errors import OmegaConfBaseException

from leyden.config.values import by_full_key, full_keys
from leyden.errors import UserError
from leyden.nearest import nearest, or_such

if TYPE_CHECKING:
    from leyden.config.origin import Origin


def resolve(config: DictConfig, origin: "Origin") -> None:
    """Put values in the place of interpolations. Raises UserError that names each that cannot be resolved."""
    try:
        OmegaConf.resolve(config)
    except OmegaConfBaseException as error:
        refuse_unresolved(config, origin)
        raise error


def refuse_unresolved(config: DictConfig, origin: "Origin") -> None:
    """Raises UserError for interpolations that name nothing; those of what is there when a run is are left alone."""
    if told := list(dict.fromkeys(_unresolved(config, origin))):
        raise UserError(*told)


def _unresolved(config: DictConfig, origin: "Origin") -> Iterator[str]:
    circles = False
    for key, value in by_full_key(config).items():
        if isinstance(value, dict) or "${" not in str(value) or key.startswith("hydra."):
            continue
        try:
            found = OmegaConf.select(config, key)
            if OmegaConf.is_config(found):
                OmegaConf.to_container(found, resolve=True)
        except OmegaConfBaseException as error:
            if not (gone := lost(str(error), config)):
                continue
            if gone.name in str(value) and (gone.name or not circles):  # others only refer to it
                text, place = origin.written(key)
                circles = circles or not gone.name
                yield f"{key}={text or value}{f' ({place})' if place else ''}: {gone.what}"


class Lost(NamedTuple):
    """What an interpolation names that is not there (empty: itself), how that is said, what was probably meant."""

    name: str
    what: str
    meant: str = ""


def lost(error: str, config: DictConfig) -> Lost | None:
    """What an error of OmegaConf's says is not there; None where it is an error of something else."""
    if "Recursive" in error:
        return Lost("", "refers to itself")
    if unknown := re.search(r"Unsupported interpolation type (\S+)", error):
        there = sorted(name for name in BaseContainer._resolvers if "." in name)
        meant = nearest(unknown[1], there)
        hint = or_such(meant) or f" (there are: {', '.join(there)})"
        return Lost(unknown[1], f"there is no resolver {unknown[1]}{hint}", *meant[:1])
    if missing := re.search(r"(Environment variable|key) '([^']+)' not found", error):
        kind, name = missing[1].lower(), missing[2]
        names: Any = full_keys(config) if kind == "key" else os.environ
        meant = nearest(name, names)
        return Lost(name, f"there is no {kind} {name}{or_such(meant)}", *meant[:1])
    return None
