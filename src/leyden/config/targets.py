"""What a `_target_` may name: a config can come from anywhere, and a `_target_` is called."""

import difflib
import importlib
import os
import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from leyden.config.app import HOME
from leyden.errors import UserError
from leyden.nearest import nearest, or_such
from leyden.project import project_folder

PACKAGES = ("leyden", "lightning", "torch", "torchmetrics", "torchvision")
# Of these packages, classes that load or run code that their arguments name.
REFUSED = (
    *("torch.distributed", "torch.fx", "torch.jit", "torch.library", "torch.multiprocessing", "torch.package"),
    *("torch.testing", "torch.utils", "lightning.pytorch.cli", "leyden.runs", "leyden.verbs"),
)
ALLOWED = ("torch.utils.data",)
# Where a function may be named; elsewhere in these packages only classes, whose making does little.
FUNCTIONS = ("leyden.training", "torch.optim", "torchvision.models", "torchvision.transforms")

MOVED = {"pytorch_lightning": "lightning.pytorch", "pl": "lightning.pytorch", "L": "lightning"}
# Where one looks for a class whose module is not said.
USUAL = {
    "model": ("{}.models",),
    "data": ("{}.data",),
    "optimizer": ("torch.optim", "leyden.training.optimizers"),
    "scheduler": ("torch.optim.lr_scheduler",),
    "trainer": ("lightning.pytorch",),
    "callbacks": ("lightning.pytorch.callbacks", "leyden.training.callbacks"),
    "logger": ("lightning.pytorch.loggers", "leyden.training.loggers"),
}


def check_targets(config: Any, key: str, packages: Sequence[str]) -> None:
    """Raises UserError for a `_target_` under `key` that `allowed_target` does not find."""
    for where, target in _targets(OmegaConf.to_container(config, resolve=True), key):
        allowed_target(where, target, packages)


def allowed_target(where: str, target: str, packages: Sequence[str]) -> Any:
    """What the `_target_` of `where` names.

    Raises UserError for one that is not below `packages` or ours, or that is none at all. Where it is defined counts,
    not only how it is spelt: `torch.os.system` is not torch's.
    """
    known = [*PACKAGES, *packages]
    _check(where, target, known)
    try:
        found = pkgutil.resolve_name(target)
    except Exception as error:  # what importing it raises
        reason = or_such(_meant(where, target, known)) or f" ({str(error).splitlines()[0]})"
        raise UserError(f"{where}._target_={target}: cannot be found{reason}") from error
    defined = ".".join(filter(None, (getattr(found, "__module__", None), getattr(found, "__qualname__", None))))
    _check(where, defined or target, known, spelt=target)
    if not isinstance(found, type) and not _is_below(defined, [*FUNCTIONS, *packages]):
        raise UserError(f"{where}._target_={target}: is no class, and could run any code: it is not allowed")
    return found


def _meant(where: str, target: str, packages: Sequence[str]) -> list[str]:
    """The name that `target` was probably meant to be, each part the nearest that there is; none where none is near."""
    top, *names = target.split(".")
    try:
        found, path = importlib.import_module(top), [top]
        for name in names:
            there = {each for each in dir(found) if not each.startswith("_")}
            there |= {module.name for module in pkgutil.iter_modules(getattr(found, "__path__", ()))}
            path += difflib.get_close_matches(name, sorted(there), n=1, cutoff=0.6)
            _check(where, ".".join(path), packages)
            found = pkgutil.resolve_name(".".join(path))
    except Exception:  # what importing raises: then that is what there is to say
        return []
    return [".".join(path)] if len(path) == 1 + len(names) and ".".join(path) != target else []


def trusted_project() -> Path:
    """The project that we are in, or that this code is in. A run folder, and what it holds, may come from anywhere."""
    here = Path.cwd()
    if HOME in os.environ or any((folder / "result.json").is_file() for folder in (here, *here.parents)):
        return project_folder(Path(__file__))
    try:
        return project_folder(here)
    except UserError:
        return project_folder(Path(__file__))


def trusted_packages() -> list[str]:
    """Those that the configs of our own project add."""
    config: DictConfig = OmegaConf.load(trusted_project() / "configs" / "train.yaml")  # type: ignore[assignment]
    return list(config.get("targets") or [])


def refuse_untrusted(words: Iterable[str], folder: str) -> None:
    """Raises UserError for an override that is read from a folder and could make it run any code."""
    for word in untrusted(words):
        raise UserError(f"{folder}: its command holds {word}, which no run folder is trusted with: give it again")


def untrusted(words: Iterable[str]) -> list[str]:
    """Those that are only taken from a command line."""
    return [word for word in words if not _is_harmless(word)]


def _is_harmless(word: str) -> bool:
    key = word.lstrip("+~").split("=")[0]
    plugins = key in ("hydra.mode", "hydra.sweep.dir") or key.startswith(("hydra.launcher.", "hydra.sweeper."))
    if word.startswith("-") or key.split(".")[0] == "targets":
        return False
    return not key.startswith("hydra.") or (plugins and "_target_" not in word)


def _check(where: str, name: str, packages: Sequence[str], spelt: str = "") -> None:
    if name.split(".")[0] not in packages:
        is_what = f"{spelt} is {name}, which" if spelt and spelt != name else name
        top, dot, rest = name.partition(".")
        near = _elsewhere(where, name, packages) or [f"{each}{dot}{rest}" for each in nearest(top, packages)]
        hint = "" if spelt else or_such(near)
        raise UserError(
            f"{where}._target_: {is_what} is in none of the packages that are allowed{hint} ({', '.join(packages)}); "
            "targets in configs/train.yaml adds one"
        )
    private = any(part.startswith("_") for part in (spelt or name).split("."))
    if private or (_is_below(name, REFUSED) and not _is_below(name, ALLOWED)):
        raise UserError(f"{where}._target_={spelt or name}: could run any code, and is never allowed")


def _elsewhere(where: str, name: str, packages: Sequence[str]) -> list[str]:
    """Where what is called `name` elsewhere, or by its last part alone, is to be found."""
    top, _, rest = name.partition(".")
    if top in MOVED or (top == "src" and rest.split(".")[0] in packages):
        return [".".join(filter(None, (MOVED.get(top), rest)))]
    own = [package for package in packages if package not in PACKAGES]
    modules = [each.format(package) for each in USUAL.get(where.split(".")[0], ()) for package in own]
    return [] if rest else [f"{module}.{name}" for module in dict.fromkeys(modules) if _holds(module, name)][:1]


def _holds(module: str, name: str) -> bool:
    try:
        return hasattr(importlib.import_module(module), name)
    except Exception:  # what importing it raises
        return False


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
