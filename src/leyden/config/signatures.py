"""The signatures of what a config names are its schema: arguments are held against them before anything is built."""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.accelerators import AcceleratorRegistry
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import StrategyRegistry
from omegaconf import DictConfig, OmegaConf

from leyden.config.hints import Made, choices_of, expected, fits, hint_of
from leyden.config.keys import BY_THE_ENGINE, FACTORIES, GIVEN
from leyden.config.origin import Origin
from leyden.config.overrides import MEANT
from leyden.config.pages import HEADER, text_of
from leyden.config.pages import shown as shown_file
from leyden.config.targets import allowed_target, trusted_packages
from leyden.config.unread import referred_to, unread
from leyden.config.values import full_keys
from leyden.errors import UserError
from leyden.nearest import did_you_mean, nearest, or_such

FIGURES = "figures"  # the group whose functions are called when they are drawn
BUILT: Mapping[str, type] = {
    "data": LightningDataModule,
    "model": LightningModule,
    "optimizer": object,  # made when training begins, of parameters
    "scheduler": object,
    "trainer": Trainer,
}
BUILT_EACH: Mapping[str, type] = {"callbacks": Callback, "logger": Logger, FIGURES: object}
GIVEN_LATER = ("total_steps",)
OF_HYDRA = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")
MISSING = "???"
FEW = 12  # arguments, which are then all named


@dataclass(frozen=True)
class Problem:
    """`value` is what the key was set to, where that says more; `place` where, or empty if that is not known."""

    key: str
    value: str
    place: str
    reason: str

    def __str__(self) -> str:
        place = f" ({self.place})" if self.place else ""
        return f"{self.key}{self.value}{place}: {self.reason}"


def refuse(found: Sequence[Problem]) -> None:
    """Raises UserError with all of them, if there are any."""
    if found:
        raise UserError(*map(str, found))


def problems(config: DictConfig, origin: Origin) -> list[Problem]:
    """Each argument that a `_target_` does not take, needs, or takes of another kind; each key of the engine's own that
    is of another kind; each key that nothing reads."""
    check = _Check([name for name in config.get("targets") or [] if isinstance(name, str)], origin)
    check.own(config)
    check.allowed()
    check.registered(config)
    for key, values, kind in _parts(config):
        check.part(key, values, kind)
    if origin.folders:  # a run that goes on was asked when it began
        check.unread(config)
    return check.found


def _parts(config: DictConfig) -> Iterator[tuple[str, Any, type]]:
    """What is built of the config, with its keys, and what it must be."""
    for group, kind in {**BUILT, **BUILT_EACH}.items():
        values: Any = OmegaConf.to_container(config[group], resolve=True) if config.get(group) else None
        if group in BUILT_EACH and isinstance(values, dict):
            yield from ((f"{group}.{name}", each, kind) for name, each in values.items() if each is not None)
        elif values:
            yield group, values, kind


@dataclass(frozen=True)
class Arguments:
    """What can be given to a class or a function by name; `scope` is where its hints have their names from."""

    named: Mapping[str, inspect.Parameter]
    scope: Mapping[str, Any]
    any_name: bool

    @classmethod
    def of(cls, target: Any) -> "Arguments | None":
        """None where they cannot be known, as of some that are written in C."""
        call = target
        if isinstance(target, type):
            call = target.__new__ if target.__init__ is object.__init__ else target.__init__  # type: ignore[misc]
        try:
            parameters = [*inspect.signature(call).parameters.values()][isinstance(target, type) :]
        except (ValueError, TypeError):
            return None
        return cls(
            {each.name: each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)},
            getattr(inspect.unwrap(call), "__globals__", {}),
            any(each.kind == each.VAR_KEYWORD for each in parameters),
        )

    def hint(self, name: str) -> Any:
        return hint_of(self.named[name].annotation, self.scope)

    def is_default(self, name: str, value: Any) -> bool:
        """Whatever its hint says, as in `width: int = None`."""
        default = self.named[name].default
        return type(value) is type(default) and bool(value == default)

    @property
    def in_order(self) -> list[str]:
        return [name for name, each in self.named.items() if each.kind == each.POSITIONAL_OR_KEYWORD]

    @property
    def needed(self) -> list[str]:
        return [name for name, each in self.named.items() if each.default is each.empty]


class _Check:
    """Collects what is wrong; `packages` are those that a `_target_` may name, besides our own."""

    def __init__(self, packages: Sequence[str], origin: Origin) -> None:
        self.packages, self.origin = packages, origin
        self.found: list[Problem] = []
        self.taken: list[str] = []  # keys of all arguments that there are

    def say(self, key: str, reason: str, value: str = "", where: str = "") -> None:
        place = self.origin.of(where or key)
        if place.partition(",")[0] not in {each.key for each in self.found}:  # it only refers to what is told already
            self.found.append(Problem(key, value, place, reason))

    def own(self, config: DictConfig) -> None:
        """Checks the keys that the engine reads itself."""
        for key, hint in BY_THE_ENGINE.items():
            value = OmegaConf.select(config, key, default=MISSING)
            value = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            if value != MISSING and not fits(value, hint):
                self.unfit(key, value, hint)
            elif key == "expected" and isinstance(value, dict):
                for name, (low, high) in value.items():
                    if low > high:
                        self.say(
                            f"expected.{name}", f"the lowest comes first: [{high}, {low}]", f"={shown([low, high])}"
                        )

    def part(self, key: str, values: Any, kind: type) -> None:
        """Checks what is built as it stands in the config."""
        if isinstance(values, str) and key.startswith(f"{FIGURES}."):
            self.target(key, values, key)
        elif isinstance(values, dict) and "_target_" in values:
            self.made_of(key, values, kind)
        elif isinstance(values, dict) and (near := [name for name in map(str, values) if nearest(name, ["_target_"])]):
            self.say(f"{key}.{near[0]}", f"is no key of Hydra's{or_such(['_target_'])}")
        else:
            self.say(key, "has no _target_ that says what to build")

    def allowed(self) -> None:
        """Checks that the packages are there; else all that is in those that were probably meant would be blamed."""
        for name in [name for name in self.packages if not find_spec(name.partition(".")[0])]:
            trusted = trusted_packages()
            self.say("targets", f"there is no package {name}{did_you_mean(name, trusted)}")
            self.packages = [*self.packages, *trusted]

    def registered(self, config: DictConfig) -> None:
        """Checks what Lightning knows by a name."""
        known = {
            "accelerator": ["auto", "gpu", *AcceleratorRegistry.available_accelerators()],
            "strategy": ["auto", *StrategyRegistry.available_strategies()],
        }
        for name, names in known.items():
            value = OmegaConf.select(config, f"trainer.{name}")
            if isinstance(value, str) and value.lower() not in names:
                hint = did_you_mean(value, names) or f" (there are: {', '.join(names)})"
                self.say(f"trainer.{name}", f"Lightning knows none of that name{hint}", f"={value}")

    def value(self, key: str, value: Any) -> Any:
        """The value, with what a `_target_` in it will make in its place, once that is checked."""
        if isinstance(value, list):
            return [self.value(f"{key}[{index}]", each) for index, each in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if "_target_" in value:
            return self.made_of(key, value)
        return {name: self.value(f"{key}.{name}", each) for name, each in value.items()}

    def made_of(self, key: str, values: Mapping[str, Any], kind: type = object) -> Made:
        """Checks the call that `values` describe, which must make a `kind`."""
        name, partial = str(values["_target_"]), bool(values.get("_partial_")) or key.startswith(f"{FIGURES}.")
        if (target := self.target(key, name, f"{key}._target_")) is None:
            return Made(None, partial=False)
        if isinstance(target, type) and not issubclass(target, kind):
            self.say(f"{key}._target_", f"is no {kind.__name__}", f"={name}")
            return Made(target, partial)
        given = {each: value for each, value in values.items() if each not in OF_HYDRA}
        if values.get("_recursive_", True):
            given = {each: self.value(f"{key}.{each}", value) for each, value in given.items()}
        if callable(target) and (arguments := Arguments.of(target)):
            self.taken += [f"{key}.{each}" for each in arguments.named]
            for each, value in given.items():
                self.argument(key, each, value, arguments, name)
            self.missing(
                key, {*given, *arguments.in_order[: len(values.get("_args_") or ())]}, partial, arguments, name
            )
        return Made(target, partial)

    def target(self, key: str, name: str, said_of: str) -> Any:
        """What a `_target_` names, or None where that is not allowed, or not there: then it is said of a key."""
        try:
            return allowed_target(key, name, self.packages)
        except UserError as error:
            self.say(said_of, str(error).partition(": ")[2], f"={name}")
            return None

    def unread(self, config: DictConfig) -> None:
        """Keys that nothing reads, once what is built was looked at."""
        left = unread(config, {*BUILT, *BUILT_EACH, *BY_THE_ENGINE, *referred_to(self.origin.text)})
        keys = full_keys(config)
        there = [key for key in keys if not any(f"{key}.".startswith(f"{each}.") for each in left)]
        for key, value in left.items():
            if file := self.origin.page_below(key):
                self.say(key, _of_no_package(file, shown_file(file, self.origin.folders[0])))
                continue
            inner = [key, *(each for each in keys if each.startswith(f"{key}."))][-1]  # a word may set that alone
            hint = did_you_mean(key, ["defaults", *there, *self.taken])
            self.say(key, f"nothing reads it{hint}", "" if isinstance(value, dict) else f"={shown(value)}", inner)

    def argument(self, key: str, name: str, value: Any, arguments: Arguments, target: str) -> None:
        full = f"{key}.{name}"
        if full in GIVEN and self.origin.folders:
            self.say(full, f"nothing reads it: {GIVEN[full]} says that", f"={shown(value)}")
        elif name not in arguments.named:
            if not arguments.any_name:
                few = len(arguments.named) <= FEW
                there = f" (there are: {', '.join(arguments.named) or 'none'})" if few else ""
                self.say(
                    full, f"{target} has no such argument{did_you_mean(name, [*arguments.named, *OF_HYDRA])}{there}"
                )
        elif value == MISSING:
            self.say(full, f"must be given: {expected(arguments.hint(name))}", "=???")
        elif not arguments.is_default(name, value) and not fits(value, hint := arguments.hint(name)):
            self.unfit(full, value, hint)

    def unfit(self, key: str, value: Any, hint: Any) -> None:
        choices = list(map(str, choices_of(hint)))
        same = {"true": "on", "false": "off"}.get(MEANT.get(str(value).lower(), ""))  # guard=no
        meant = or_such([same]) if same in choices and same else did_you_mean(str(value), choices)
        text, _ = self.origin.written(key)
        if re.fullmatch(r"\$\{oc\.env:[^}]*\}", text) and not meant:
            meant = f"; a variable is a text, and read as a number by ${{oc.decode:{text}}}"
        self.say(key, f"must be {expected(hint)}{meant}", f"={shown(value)}")

    def missing(self, key: str, given: set[str], partial: bool, arguments: Arguments, target: str) -> None:
        needed = arguments.needed
        if key in FACTORIES:
            if not partial and needed and needed[0] not in given:
                self.say(key, f"needs _partial_: true, as {target} is given {needed[0]} when training begins")
                return
            needed = [name for name in needed[1:] if name not in GIVEN_LATER]
        elif partial:  # what its caller will give it is not known
            return
        for name in needed:
            if name not in given:
                what = f"is missing: {target} needs {expected(arguments.hint(name))}"
                self.say(f"{key}.{name}", what, where=f"{key}._target_")


def _of_no_package(file: Path, name: str) -> str:
    """A file whose keys nobody reads below the name of its folder."""
    if not text_of(file).strip():
        return f"{name} is empty"
    return f"nothing reads it: the first line of {name} must be `{HEADER}`"


def shown(value: Any) -> str:
    """As YAML would have it, but with quotes where a text could be taken for something else."""
    if isinstance(value, Made):
        return getattr(value.target, "__qualname__", str(value.target))
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {shown(each)}' for name, each in value.items())}}}"
    if value is None or isinstance(value, bool):  # 1 equals True, and is not to be shown as it
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value) if isinstance(value, str) else str(value)
