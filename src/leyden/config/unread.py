"""Keys of a config that nothing reads: not the engine, no class that a `_target_` names, and no interpolation."""

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

from leyden.config.values import full_keys

# All that the engine reads itself, besides the groups that it builds and what is below `hydra`, and its kind.
BY_THE_ENGINE: Mapping[str, Any] = {
    "name": str | int,
    "seed": int,
    "threads": int | None,
    "population": int | None,
    "rerun": str | None,
    "init_from": str | None,
    "strict": bool,
    "compile": bool,
    "targets": list[str],
    "guard": bool | Literal["on", "off"],
    "full_traceback": bool,
    "expected": Mapping[str, tuple[float, float]] | None,
    "monitor.metric": str,
    "monitor.mode": Literal["min", "max"],
    "paths.log_dir": str,
    "paths.run_dir": str,
    "sweep.resume": str | None,
    "sweep.fail_fast": bool,
    "sweep.max_failures": int | None,
    "sweep.n_trials": int,
    "sweep.space": Mapping[str, Any] | None,
    "sweep.sampler": str,
    "sweep.seed": int | None,
    "sweep.pruner": str,
    "sweep.objectives": Mapping[str, Literal["min", "max"]] | None,
    "sweep.storage": str | None,
}


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
    inside = " ".join(re.findall(r"\$\{([^{}$]*)", text))  # also of ${resolver:a,${b}}; of ${a.${b}} what is below a
    names = (name.rstrip(".") for name in re.split(r"[\s,:'\"\[\]]+", inside))
    return {re.sub(r"^\.+(\w+).*", r".\1", name) for name in names if name}
