"""YAML files that may come from anywhere: what reading them takes has a limit."""

import re
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from leyden.errors import UserError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEEPEST = 50  # collections in collections
LARGEST = 10_000_000  # characters, when every interpolation is resolved
REFERENCE = re.compile(r"\$\{([^${}:]+)\}")  # the innermost of nested ones


def load_yaml(file: Path, kind: type = DictConfig) -> Any:
    """The content, with its interpolations as they are. Raises UserError where it is damaged, or no `kind`."""
    try:
        text = file.read_text()
        _refuse_bomb(text)
        config = OmegaConf.create(text)
        _refuse_growth(OmegaConf.to_container(config))
    except (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UserError(f"{file} is damaged: {error}") from error
    if not isinstance(config, kind):
        raise UserError(f"{file} is damaged: it holds no {'mapping' if kind is DictConfig else 'list'}")
    return config


def load_plain(file: Path) -> Any:
    """The content as plain values, interpolations as text: for who looks at many. Raises UserError where damaged."""
    try:
        text = file.read_text()
        _refuse_bomb(text)
        return yaml.load(text, LOADER)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UserError(f"{file} is damaged: {error}") from error


def flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys."""
    if not isinstance(values, dict) or not values:
        return {prefix[:-1]: values}
    return {key: value for name, part in values.items() for key, value in flat(part, f"{prefix}{name}.").items()}


def _refuse_bomb(text: str) -> None:
    """What is nested deeply takes YAML minutes; a page of nested aliases, copied by OmegaConf, fills all memory."""
    depth = 0
    for event in yaml.parse(text, LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it holds YAML aliases (*name), which no run folder has")
        if depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} deep")


def _refuse_growth(values: Any) -> None:
    """A page of `a1: ${a0}${a0}`, `a2: ${a1}${a1}` and so on fills all memory, too, when it is resolved."""
    texts = {key: str(value) for key, value in flat(values).items()}
    sizes: dict[str, int] = {}

    def size(key: str, above: frozenset[str]) -> int:
        if key in above:
            return 0  # OmegaConf says what is wrong with a circle
        if key not in sizes:
            inside = [other for other in texts if other == key or other.startswith(f"{key}.")]
            sizes[key] = sum(
                len(texts[leaf])
                + sum(size(_absolute(found, leaf), above | {key}) for found in REFERENCE.findall(texts[leaf]))
                for leaf in inside
            )
            if sizes[key] > LARGEST:
                raise ValueError("its interpolations would grow without end")
        return sizes[key]

    for key, value in texts.items():
        if REFERENCE.search(value):
            size(key, frozenset())


def _absolute(reference: str, key: str) -> str:
    """The full key that an interpolation in the value of `key` names: `${..lr}` is relative."""
    name = reference.lstrip(".")
    dots = len(reference) - len(name)
    above = key.split(".")[:-dots] if dots else []
    return ".".join([*above, name.replace("[", ".").replace("]", "")])
