"""Keys of a config that nothing reads: not the engine, no class that a `_target_` names, and no interpolation."""

import re
from collections.abc import Iterator, Set
from typing import Any

from omegaconf import DictConfig, OmegaConf

from leyden.config.values import full_keys


def unread(config: DictConfig, read: Set[str]) -> dict[str, Any]:
    """Keys and values of which `read` names neither them, nor what they are in, nor anything in them.

    Of a mapping that is not read at all only its own key. A name with a dot before it is read wherever it stands.
    """
    return dict(_unread(OmegaConf.to_container(config), read, ""))


def _unread(values: Any, read: Set[str], holder: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        key = f"{holder}{name}"
        if key in read or f".{name}" in read:
            continue
        inside = {f".{each.rpartition('.')[2]}" for each in full_keys(value)}
        if not (inside & read or any(each.startswith(f"{key}.") for each in read)):
            yield key, value
        elif isinstance(value, dict):
            yield from _unread(value, read, f"{key}.")


def referred_to(text: str) -> set[str]:
    """Every name that an interpolation in `text` may refer to: `a.b` of `${a.b}`, and `.a` of `${..a.b}`."""
    inside = " ".join(re.findall(r"\$\{([^{}$\n]*)", text))  # also of ${resolver:a,${b}}; of ${a.${b}} what is below a
    names = (name.rstrip(".") for name in re.split(r"[\s,:'\"\[\]]+", inside))
    return {re.sub(r"^\.+(\w+).*", r".\1", name) for name in names if name}
