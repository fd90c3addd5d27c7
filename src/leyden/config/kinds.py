"""Whether a value is of the kind of what it takes the place of."""

import re
from typing import Any

from omegaconf import AnyNode, Container, DictConfig, ListConfig, Node, OmegaConf, ValueNode
from omegaconf.errors import OmegaConfBaseException

# What is taken besides the kind of the default that stands in the config.
TAKEN_TOO = {
    "trainer.devices": r"auto|-?\d+(,\s*\d+)*,?|\[[\d, ]*\]",
    "trainer.deterministic": "warn",
    "hydra.verbose": ".*",
}


def misfit(key: str, node: Node, value: Any, config: DictConfig, in_group: bool) -> str:
    """What `value` should have been, by what stands in its place; nothing where it may be right.

    What a null, or a class of the config's (`_target_`), takes is not known here.
    """
    if value is None or (isinstance(value, str) and ("${" in value or value == "???")):
        return ""
    if re.fullmatch(TAKEN_TOO.get(key, "(?!)"), str(value)):
        return ""
    if isinstance(node, ValueNode) and not isinstance(node, AnyNode):  # Hydra's own: they have a type
        return _typed_misfit(node, value)
    if key.startswith("hydra.") and node._is_none():
        return ""
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
        return "" if isinstance(value, list) else "a list, such as [a,b]"
    return _scalar_misfit(default, value, built=_is_built(key, config))


def _typed_misfit(node: ValueNode, value: Any) -> str:
    try:
        node.validate_and_convert(value)
    except OmegaConfBaseException:
        if choices := getattr(getattr(node, "enum_type", None), "__members__", None):
            return f"one of {', '.join(choices)}"
        kind = getattr(node._metadata.ref_type, "__name__", "")
        return {"bool": "true or false", "int": "a number", "float": "a number", "str": "a text"}.get(
            kind, "of another kind"
        )
    return ""


def _scalar_misfit(default: Any, value: Any, built: bool) -> str:
    """`built`: it goes to a class, which may take a number in the place of a truth value, and one with a `_target_`."""
    if isinstance(value, dict) and "_target_" in value:
        return ""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, bool):
        return "" if isinstance(value, bool) or (built and number) else "true or false"
    if isinstance(default, int | float):
        return "" if number else "a number"
    if isinstance(default, str):
        return "a text" if isinstance(value, dict | list) else ""
    return ""


def _is_built(key: str, config: DictConfig) -> bool:
    holder = node_at(config, key.rpartition(".")[0])
    return isinstance(holder, DictConfig) and "_target_" in holder


def node_at(config: DictConfig, key: str) -> Node | None:
    """What stands at a key; None where there is no such key."""
    node: Node | None = config
    for part in key.split("."):
        if not isinstance(node, Container) or node._is_none() or node._is_interpolation() or node._is_missing():
            return None
        if isinstance(node, DictConfig) and part in node.keys():  # noqa: SIM118 - `in` alone is False for ???
            node = node._get_node(part)
        elif isinstance(node, ListConfig) and part.isdecimal() and int(part) < len(node):
            node = node._get_node(int(part))  # type: ignore[assignment]
        else:
            return None
    return node
