"""What the last word of a command could be."""

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from leyden.arguments import Signature
from leyden.completion.composed import Composed, composed, load
from leyden.completion.constructors import arguments_of
from leyden.config.keys import FACTORIES, GIVEN
from leyden.errors import UserError
from leyden.project import project_folder

# Hydra's, whose import would take longer than an answer may.
FLAGS = (
    *("--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--resolve", "--package", "-p", "--run", "-r"),
    *("--multirun", "-m", "--shell-completion", "-sc", "--config-path", "-cp", "--config-name", "-cn"),
    *("--config-dir", "-cd", "--info", "-i"),
)
SHOWN = ("job", "hydra", "all")
INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
RUNS = ("resume", "rerun", "init_from")  # keys whose value is a run
SWEEP = "sweep.resume"
NOT_IN_FILES = {"hydra/launcher": ["basic"]}  # options that Hydra brings along


def completions(line: str, verbs: Sequence[str]) -> list[str]:
    """All words that could stand at the end of `line`, which is a command (`leyden ...`, `python train.py ...`) up to
    the cursor. Those that end in `=`, `.`, `/` go on.
    """
    *given, word = _split(line)
    while given and "=" in given[0]:  # LEYDEN_DATA_DIR=/data leyden ...
        del given[0]
    return sorted({each for each in _found(given, word, verbs) if each.startswith(word)})


def _found(given: Sequence[str], word: str, verbs: Sequence[str]) -> Iterator[str]:
    match given:
        case [] | [_]:
            return iter((*verbs, "--help"))
        case [program, script, *words] if Path(program).name.startswith("python"):
            return _Asked(Path(script).parent, words).of_training(word)
        case [_, "train", *words]:
            return _Asked(_project(), words).of_training(word)
        case [_, verb, *words] if verb in verbs:
            return _Asked(_project(), words).of_verb(verb, word)
    return iter(())


def _split(line: str) -> list[str]:
    """The words as a shell splits them; the last is the one that is being typed, and its quotes may be open."""
    for closing in ("", "'", '"'):
        with suppress(ValueError):
            *words, last = shlex.split(f"{line}\0{closing}")
            return [*words, last.rstrip("\0")]
    return [""]


def _project() -> Path:
    try:
        return project_folder(Path.cwd())
    except UserError:
        return Path()


class _Asked:
    """A project, and the words of a command before the one that is asked for."""

    def __init__(self, project: Path, given: Sequence[str]) -> None:
        self.configs = project / "configs"
        self.logs = project / "logs"
        self.given = given

    def of_training(self, word: str) -> Iterator[str]:
        """The words of `python train.py`."""
        last = self.given[-1] if self.given else ""
        if word.startswith("-"):
            yield from FLAGS
        elif last in ("--cfg", "-c"):
            yield from SHOWN
        else:
            yield from INFO if last in ("--info", "-i") else ()
            yield from () if "=" in word else ("resume=",)  # which is in no config
            yield from self._overrides(word)

    def of_verb(self, verb: str, word: str) -> Iterator[str]:
        """The words of `leyden VERB`: first those that must be there, then its keys."""
        signature = Signature.of(verb)
        missing = list(signature.words.values())[sum("=" not in each for each in self.given) :]
        name, equals, text = word.partition("=")
        if word.startswith("-"):
            yield from ("--help", "-h")
        elif equals and (key := signature.keys.get(name)):
            values = key.options or self._options(name) or (_files(text) if "str" in key.kind else [])
            yield from (f"{name}={value}" for value in [*values, *["best", "last"] * (name == "checkpoint")])
        elif missing and not equals:
            yield from missing[0].options or self._runs(word)
        else:
            yield from self._runs(word) if signature.more_words and not equals else ()
            yield from (f"{name}=" for name in signature.keys)
            yield from self._overrides(word) if signature.overrides else ()

    def _overrides(self, word: str) -> Iterator[str]:
        """Groups and keys or, behind an equals sign, their values."""
        plain = word.lstrip("+~")
        sign = word.removesuffix(plain)
        key, equals, text = plain.partition("=")
        found = (f"{key}={value}" for value in self._values(key, text)) if equals else self._names(key, sign)
        yield from (f"{sign}{each}".rstrip("=" if "~" in sign else "") for each in found)

    def _names(self, typed: str, sign: str) -> Iterator[str]:
        """All groups, and the keys of the level that was typed; those with an underscore where one was typed.

        Behind a plus are those that are new: arguments of a class that its config does not name.
        """
        config, groups = self._composed
        yield from (f"{group}=" for group in groups if (self.configs / group).is_dir())
        level, dot, start = typed.rpartition(".")
        holder = _at(config, level) if dot else config
        for name, value in holder.items() if isinstance(holder, dict) else ():
            end = "." if value and isinstance(value, dict) else "="
            if "/" not in str(name) and (start or not str(name).startswith("_")) and f"{sign}{end}" != "+=":
                yield f"{level}{dot}{name}{end}"
        if sign.startswith("+") and isinstance(holder, dict):
            arguments = arguments_of(str(holder.get("_target_")))[level in FACTORIES :]
            new = (f"{level}.{name}" for name in arguments if name not in holder)
            yield from (f"{key}=" for key in new if key not in GIVEN)

    def _values(self, key: str, text: str) -> Iterable[str]:
        if key in RUNS:
            return self._runs(text)
        if key == SWEEP:
            return (folder for folder in self._runs(text) if folder.endswith("/"))
        if isinstance(_at(self._composed.config, key), bool):
            return ("true", "false")
        before = text[: max(text.rfind(","), text.rfind("[")) + 1]  # in a list, or a sweep
        return (f"{before}{option}" for option in self._options(key))

    def _options(self, group: str) -> list[str]:
        """Those of a group, in folders within it, too, unless these are groups themselves."""
        groups, folder = self._composed.groups, self.configs / group
        files = [file for file in folder.rglob("*.yaml") if group in groups]
        paths = [file.relative_to(folder).with_suffix("") for file in files]
        return [str(path) for path in paths if f"{group}/{path.parts[0]}" not in groups] + NOT_IN_FILES.get(group, [])

    @cached_property
    def _composed(self) -> Composed:
        """A run that is named stands for the words that it was started with."""
        words = list[str]()
        for each in self.given:
            run = each.partition("=")[2] if each.startswith(("resume=", "rerun=")) else each
            words += map(str, load(Path(run) / ".hydra" / "overrides.yaml") or [])
        return composed(self.configs, [*words, *self.given])

    def _runs(self, text: str) -> Iterator[str]:
        """All runs below logs/, where a sweep stands for its jobs until its folder is typed; elsewhere a level."""
        typed = text[: text.rfind("/") + 1]
        logs = f"{os.path.relpath(self.logs)}/"
        if not typed and logs.startswith(text):
            typed = logs
        return _folders(typed, Path(typed).resolve().is_relative_to(self.logs.resolve()))


def _folders(typed: str, all_levels: bool) -> Iterator[str]:
    """Run folders, and with a slash at their end others that hold some."""
    for path in _entries(typed):
        if (Path(path) / "config.yaml").is_file():
            yield path
        elif all_levels and not (Path(path) / "multirun.yaml").is_file():
            yield from _folders(f"{path}/", not Path(path).is_symlink())
        elif Path(path).is_dir():
            yield f"{path}/"


def _files(text: str) -> list[str]:
    return [f"{path}/" if Path(path).is_dir() else path for path in _entries(text[: text.rfind("/") + 1])]


def _entries(folder: str) -> list[str]:
    """What is in a folder, named as that was typed."""
    with suppress(OSError):
        return [f"{folder}{path.name}" for path in Path(folder).iterdir() if not path.name.startswith(".")]
    return []


def _at(config: Any, key: str) -> Any:
    for name in key.split("."):
        config = config.get(name) if isinstance(config, dict) else None
    return config
