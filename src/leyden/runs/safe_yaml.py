"""YAML files that may come from anywhere: what reading them takes has a limit."""

import re
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from leyden.errors import UserError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
LARGEST = 100_000  # bytes of a file; a run's config has two thousand
DEEPEST = 50  # collections in collections
GROWN = 1_000_000  # characters, when every interpolation is resolved
RESOLVED = re.compile(r"\$\{(oc\.env|project|hydra|now):[^${}]*\}")  # to a short text of their own
REFERENCE = re.compile(r"\$\{(\.*[\w.\[\]]+)\}")  # to another key


def load_yaml(file: Path, kind: type = DictConfig) -> Any:
    """The content, with its interpolations as they are. Raises UserError where it is damaged, or no `kind`."""
    try:
        config = OmegaConf.create(_text(file))
        _Growth(OmegaConf.to_container(config)).check()
    except (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UserError(f"{file} is damaged: {error}") from error
    if not isinstance(config, kind):
        raise UserError(f"{file} is damaged: it holds no {'mapping' if kind is DictConfig else 'list'}")
    return config


def load_plain(file: Path) -> Any:
    """The content as plain values, interpolations as text: for who looks at many. Raises UserError where damaged."""
    try:
        return yaml.load(_text(file), LOADER)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UserError(f"{file} is damaged: {error}") from error


def flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys."""
    if not isinstance(values, dict) or not values:
        return {prefix[:-1]: values}
    return {key: value for name, part in values.items() for key, value in flat(part, f"{prefix}{name}.").items()}


def _text(file: Path) -> str:
    """Raises ValueError for a bomb: what is nested deeply takes YAML minutes; a page of nested aliases, copied by
    OmegaConf, fills all memory."""
    if file.stat().st_size > LARGEST:
        raise ValueError(f"it is larger than {LARGEST:,} bytes")
    text, depth = file.read_text(), 0
    for event in yaml.parse(text, LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it holds YAML aliases (*name), which no run folder has")
        if depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} deep")
    return text


class _Growth:
    """How large values become when they are resolved: a page of `a1: ${a0}${a0}`, `a2: ${a1}${a1}` and so on fills all
    memory, too."""

    def __init__(self, values: Any) -> None:
        self.values = values
        self.sizes: dict[tuple[str, ...], int] = {}

    def check(self) -> None:
        """Raises ValueError where it is too much, or cannot be told."""
        self._size((), self.values)

    def _size(self, path: tuple[str, ...], value: Any) -> int:
        if path in self.sizes:
            return self.sizes[path]
        self.sizes[path] = 0  # OmegaConf says what is wrong with a circle
        if isinstance(value, dict | list):
            parts = value.items() if isinstance(value, dict) else enumerate(value)
            size = sum(self._size((*path, str(name)), part) for name, part in parts)
        else:
            text = RESOLVED.sub("", RESOLVED.sub("", str(value)))  # ${oc.env:DATA,${project:data}} is two
            if "${" in REFERENCE.sub("", text):
                raise ValueError(f"{'.'.join(path)} holds an interpolation that is not known here: {str(value)[:60]}")
            size = len(text) + sum(self._size(*self._target(name, path)) for name in REFERENCE.findall(text))
        if size > GROWN:
            raise ValueError("its interpolations would grow without end")
        self.sizes[path] = size
        return size

    def _target(self, reference: str, path: tuple[str, ...]) -> tuple[tuple[str, ...], Any]:
        """What an interpolation in the value at `path` names: `${..lr}` is relative. None where there is no such."""
        name = reference.lstrip(".")
        dots = len(reference) - len(name)
        parts = (*(path[:-dots] if dots else ()), *name.replace("[", ".").replace("]", "").split("."))
        value = self.values
        for depth, part in enumerate(parts):
            if isinstance(value, list):
                value = dict(enumerate(value)).get(int(part) if part.isdigit() else -1)
            elif isinstance(value, dict):
                value = {str(key): each for key, each in value.items()}.get(part)
            else:  # it refers to a mapping, of which this is a part
                return parts[:depth], value
        return parts, value
