"""What a `_target_` may name: a config can come from anywhere, and a `_target_` is called."""

import pkgutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from leyden.config.app import project_folder
from leyden.errors import UserError

PACKAGES = ("leyden", "lightning", "torch", "torchmetrics", "torchvision")
# Of these packages, what loads or runs code that its arguments name.
REFUSED = (
    *("torch.distributed", "torch.hub", "torch.jit", "torch.library", "torch.load", "torch.multiprocessing"),
    *("torch.ops", "torch.package", "torch.serialization", "torch.testing", "torch.utils", "lightning.pytorch.cli"),
)
ALLOWED = ("torch.utils.data",)


def check_targets(config: Any, key: str, packages: Sequence[str]) -> None:
    """Raises UserError for a `_target_` under `key` that is not below `packages` or ours, or that is none at all.

    Where it is defined counts, not only how it is spelt: `torch.os.system` is not torch's.
    """
    known = [*PACKAGES, *packages]
    for where, target in _targets(OmegaConf.to_container(config, resolve=True), key):
        _check(where, target, known)
        try:
            found = pkgutil.resolve_name(target)
        except Exception as error:  # what importing it raises
            reason = str(error).splitlines()[0]
            raise UserError(f"{where}._target_={target}: cannot be found ({reason})") from error
        defined = ".".join(filter(None, (getattr(found, "__module__", None), getattr(found, "__qualname__", None))))
        _check(where, defined or target, known, spelt=target)


def trusted_project() -> Path:
    """The project that we are in, or that this code is in. A run folder, and the project that it lies in, may come from
    anywhere."""
    try:
        return project_folder(Path.cwd())
    except UserError:
        return project_folder(Path(__file__))


def trusted_packages() -> list[str]:
    """Those that the configs of our own project add."""
    config: DictConfig = OmegaConf.load(trusted_project() / "configs" / "train.yaml")  # type: ignore[assignment]
    return list(config.get("targets") or [])


def _check(where: str, name: str, packages: Sequence[str], spelt: str = "") -> None:
    if name.split(".")[0] not in packages:
        is_what = f"{spelt} is {name}, which" if spelt and spelt != name else name
        raise UserError(
            f"{where}._target_: {is_what} is in none of the packages that are allowed ({', '.join(packages)}); "
            "targets in configs/train.yaml adds one"
        )
    if _is_below(name, REFUSED) and not _is_below(name, ALLOWED):
        raise UserError(f"{where}._target_={spelt or name}: could run any code, and is never allowed")


def _is_below(name: str, tops: Sequence[str]) -> bool:
    return any(name == top or name.startswith(f"{top}.") for top in tops)


def _targets(values: Any, key: str) -> Iterator[tuple[str, str]]:
    """Every `_target_` in nested mappings and lists, with the full key of what it is in."""
    if isinstance(values, dict):
        if "_target_" in values:
            yield key, str(values["_target_"])
        for name, value in values.items():
            yield from _targets(value, f"{key}.{name}")
    elif isinstance(values, list):
        for index, value in enumerate(values):
            yield from _targets(value, f"{key}[{index}]")
