"""Whether a value is of the kind of what it takes the place of."""

import re
from enum import StrEnum
from typing import Any, cast

from omegaconf import AnyNode, Container, DictConfig, ListConfig, Node, OmegaConf, ValueNode
from omegaconf.errors import OmegaConfBaseException


class Kind(StrEnum):
    """How the kind of a value is called."""

    TRUTH = "true or false"
    NUMBER = "a number"
    TEXT = "a text"
    LIST = "a list, such as [a,b]"


KINDS = {"bool": Kind.TRUTH, "int": Kind.NUMBER, "float": Kind.NUMBER, "str": Kind.TEXT}
# What is taken besides the kind of the default that stands in the config, and how all of it is called.
TAKEN_TOO = {
    "trainer.devices": (r"auto|-?\d+(,\s*\d+)*,?|\[[\d, ]*\]", "a number, auto, or a list such as [0,1]"),
    "trainer.deterministic": ("warn", "true, false or warn"),
    "hydra.verbose": (".*", ""),
}


def misfit(key: str, node: Node, value: Any, config: DictConfig, in_group: bool) -> str:
    """What `value` should have been, a Kind or other words, by what stands in its place; nothing where it may be right.

    What a null, or a class of the config's (`_target_`), takes is not known here.
    """
    if isinstance(value, str) and ("${" in value or value == "???"):
        return ""
    if isinstance(node, ValueNode) and not isinstance(node, AnyNode):  # Hydra's own: they have a type
        return _typed_misfit(node, value)
    if (value is None and node._is_optional()) or (key.startswith("hydra.") and node._is_none()):
        return ""
    taken_too, all_that = TAKEN_TOO.get(key, ("(?!)", ""))
    if re.fullmatch(taken_too, str(value)):
        return ""
    wanted = _untyped_misfit(key, node, value, config, in_group)
    return wanted and (all_that or wanted)


def _untyped_misfit(key: str, node: Node, value: Any, config: DictConfig, in_group: bool) -> str:
    try:
        default = OmegaConf.select(config, key) if node._is_interpolation() else node._value()
    except OmegaConfBaseException:
        return ""
    if isinstance(node, DictConfig):
        if in_group and isinstance(value, str):
            return f"chosen as {key.replace('.', '/')}={value}"
        if isinstance(value, dict) or "_target_" in node:
            return ""
        keys = [f"{key}.{name!s}" for name in node]
        return f"one of its keys: {', '.join(keys)}" if keys else "keys and values, such as {a: 1}"
    if isinstance(node, ListConfig):
        return "" if isinstance(value, list) else Kind.LIST
    return _scalar_misfit(default, value, built=_is_built(key, config))


def _typed_misfit(node: ValueNode, value: Any) -> str:
    try:
        node.validate_and_convert(value)
    except OmegaConfBaseException:
        if choices := getattr(getattr(node, "enum_type", None), "__members__", None):
            return f"one of {', '.join(choices)}"
        kind = getattr(node._metadata.ref_type, "__name__", str(node._metadata.ref_type))
        return KINDS.get(kind, kind)
    return ""


def _scalar_misfit(default: Any, value: Any, built: bool) -> str:
    """`built`: it goes to a class, which may take a number in the place of a truth value, and one with a `_target_`."""
    if isinstance(value, dict) and "_target_" in value:
        return ""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, bool):
        return "" if isinstance(value, bool) or (built and number) else Kind.TRUTH
    if isinstance(default, int | float):
        return "" if number else Kind.NUMBER
    if isinstance(default, str):
        return Kind.TEXT if isinstance(value, dict | list) else ""
    return ""


def _is_built(key: str, config: DictConfig) -> bool:
    holder = node_at(config, key.rpartition(".")[0])
    return isinstance(holder, DictConfig) and "_target_" in holder


def node_at(config: DictConfig, key: str) -> Node | None:
    """What stands at a key; None where there is no such key."""
    name, node = deepest(config, key)
    return node if name == key else None


def deepest(config: DictConfig, key: str) -> tuple[str, Node]:
    """How far the way to a key leads, and what stands there."""
    found, node = list[str](), cast(Node, config)
    for part in key.split("."):
        below: Node | None = None
        if isinstance(node, Container) and not (node._is_none() or node._is_interpolation() or node._is_missing()):
            if isinstance(node, DictConfig) and part in node.keys():  # noqa: SIM118 - `in` alone is False for ???
                below = cast(Node, node._get_node(part))
            elif isinstance(node, ListConfig) and part.isdecimal() and int(part) < len(node):
                below = cast(Node, node._get_node(int(part)))
        if below is None:
            break
        node = below
        found.append(part)
    return ".".join(found), node
