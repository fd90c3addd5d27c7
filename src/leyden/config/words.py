"""The words of a command: what is wrong with them, all of it at once, and what was probably meant.

How a word is written is seen in the word (spelling.py). Whether there is what it names, and whether its value fits, is
seen in the config that it is to change: `CheckedLoader` looks between the two steps in which Hydra composes.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra._internal.hydra
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra.core.default_element import GroupDefault, ResultDefault
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, Sweep
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, Node, OmegaConf

from leyden.config.explain import explain, full_keys
from leyden.config.kinds import misfit, node_at
from leyden.config.mistakes import Mistake, WordsError
from leyden.config.spelling import flags_apart, spelt
from leyden.errors import UserError
from leyden.nearest import joined, nearest, or_such

ELSEWHERE = ("resume",)  # keys that are in no config


def checked_words(words: Sequence[str], configs: Path) -> list[str]:
    """The words in an order that Hydra understands: `-m`, overrides, other flags. Raises WordsError."""
    meant, mistakes = spelt(words, configs)
    if mistakes:
        raise all_wrong(words, configs) or WordsError(mistakes)
    multirun = [word for word in meant if word in ("-m", "--multirun")]
    overrides, flags = flags_apart(meant)
    given = {word.partition("=")[0] for word in flags}
    asked = sorted(given & {"--cfg", "-c", "--info", "-i", "--shell-completion", "-sc", "--run", "-r"})
    if multirun and asked:
        raise UserError(f"{asked[0]}: shows the config of one run, not of a sweep: leave {multirun[0]} out")
    if len(asked) > 1:
        raise UserError(f"{joined(asked)}: only one of them is answered at a time")
    if (with_cfg := sorted(given & {"--resolve", "--package", "-p"})) and not given & {"--cfg", "-c", "--help", "-h"}:
        raise UserError(f"{with_cfg[0]}: says how --cfg job shows the config, and is nothing without it")
    return multirun[:1] + overrides + flags


def all_wrong(words: Sequence[str], configs: Path) -> WordsError | None:
    """All that can be seen without running anything."""
    meant, mistakes = spelt(words, configs)
    overrides, flags = flags_apart(meant)
    mode = RunMode.MULTIRUN if {"-m", "--multirun"} & set(meant) else RunMode.RUN
    if not any(flag.startswith(("--config", "-cd", "-cn", "-cp")) for flag in flags):
        with checked_loader(), initialize_config_dir(str(configs), version_base="1.3"):
            try:
                GlobalHydra.instance().config_loader().load_configuration("train", overrides, mode)
            except WordsError as error:
                mistakes += error.mistakes
    return WordsError(mistakes) if mistakes else None


@contextmanager
def checked_loader() -> Iterator[None]:
    """Let what is made of Hydra meanwhile compose with it. Hydra has no other place where a loader could be named."""
    module: Any = hydra._internal.hydra
    before, module.ConfigLoaderImpl = module.ConfigLoaderImpl, CheckedLoader
    try:
        yield
    finally:
        module.ConfigLoaderImpl = before


class CheckedLoader(ConfigLoaderImpl):
    """Hydra's loader, which also holds the words against the config that they are to change, before they change it.

    Raises WordsError with all that is wrong with them.
    """

    _found: tuple[list[str], WordsError] | None = None
    _listed: CachingConfigRepository | None = None

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        """`--help` asks for those of every group, and Hydra would copy all that it knows for each."""
        if config_name or overrides:
            return super().get_group_options(group_name, results_filter, config_name, overrides)
        if self._listed is None:
            _, self._listed = super()._parse_overrides_and_create_caching_repo(None, [])
        return self._listed.get_group_options(group_name, results_filter)

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        if self._found and self._found[0] == overrides[: len(self._found[0])]:
            raise self._found[1]
        self._mistakes: list[Mistake] = []
        self._parsed: list[Override] = []
        self._one_run = run_mode == RunMode.RUN and validate_sweep_overrides
        try:
            return super().load_configuration(config_name, overrides, run_mode, from_shell, validate_sweep_overrides)
        except WordsError as error:
            if "hydra.mode=MULTIRUN" in overrides or not any(each.is_sweep_override() for each in self._parsed):
                # Hydra first asks for the mode alone, passes over errors, and asks again with a mode at the end.
                self._found = list(overrides), error
            raise
        except (HydraException, ValueError) as error:
            raise WordsError([*self._mistakes, _told_by_hydra(error, overrides)]) from error
        finally:
            del self._mistakes, self._parsed  # a launcher may pickle the loader

    def validate_sweep_overrides_legal(  # type: ignore[override]
        self, overrides: list[Override], run_mode: RunMode, from_shell: bool
    ) -> None:
        if run_mode == RunMode.MULTIRUN:
            super().validate_sweep_overrides_legal(overrides, run_mode, from_shell)

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], CachingConfigRepository]:
        try:
            parsed, repo = super()._parse_overrides_and_create_caching_repo(config_name, overrides)
        except OverrideParseException:
            mistakes = {word: mistake for word in overrides if (mistake := _grammar(word, self._one_run))}
            self._mistakes += mistakes.values()
            readable = [word for word in overrides if word not in mistakes]
            parsed, repo = super()._parse_overrides_and_create_caching_repo(config_name, readable)
        if overrides:
            self._parsed = parsed
            self._check_groups(config_name, parsed, repo)
        return parsed, repo

    def _compose_config_from_defaults_list(self, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
        config = super()._compose_config_from_defaults_list(defaults, repo)
        swept_group = any(each.is_sweep_override() and repo.group_exists(each.key_or_group) for each in self._parsed)
        made: list[str] = []  # by words before it
        for override in self._parsed:
            key = override.key_or_group
            if any(f"{key}.".startswith(f"{each}.") or each.startswith(f"{key}.") for each in made):
                continue
            if (
                override.is_add()
                or override.is_force_add()
                or override.is_delete()
                or isinstance(override.value(), dict)
            ):
                made.append(key)
            if override.is_sweep_override() and self._one_run:
                self._mistakes.append(_swept(override, node_at(config, override.key_or_group)))
            elif repo.group_exists(override.key_or_group) and not isinstance(override.value(), dict):
                continue
            elif not (swept_group and override.is_sweep_override()):  # its jobs are then composed one by one
                self._mistakes += _check_key(override, config, repo)
        if self._mistakes:
            raise WordsError(self._mistakes)
        return config

    def _check_groups(self, config_name: str | None, parsed: list[Override], repo: IConfigRepository) -> None:
        """Of what is wrong, what was probably meant takes the place, so that the keys are held against that."""
        for override in list(parsed):
            value = override.value()
            group = override.key_or_group
            if isinstance(value, dict) or not repo.group_exists(group):
                continue
            if override.is_delete():
                if value is not None and not isinstance(value, str):
                    word = str(override.input_line)
                    self._mistakes.append(
                        Mistake((word,), f"{word}: a group is left out with ~{group}", (f"~{group}",))
                    )
                    parsed.remove(override)
                continue
            mistake = _wrong_option(override, repo) or _superfluous_plus(override, config_name, repo)
            if mistake:
                self._mistakes.append(mistake)
                place = parsed.index(override)
                parsed[place : place + 1] = OverridesParser.create().parse_overrides(list(mistake.instead or ()))


def _wrong_option(override: Override, repo: IConfigRepository) -> Mistake | None:
    group, word = override.key_or_group, str(override.input_line)
    value = override.value()
    if value is None:
        return Mistake((word,), f"{word}: a group is left out with ~{group}", (f"~{group}",))
    if isinstance(value, Sweep):
        options = list(override.sweep_string_iterator()) if isinstance(value, ChoiceSweep) else []
    else:
        options = [str(option) for option in value] if isinstance(value, list) else [str(value)]
    for option in options:
        if not repo.config_exists(f"{group}/{option}"):
            there = repo.get_group_options(group)
            meant = nearest(option.removesuffix(".yaml"), there) or [name for name in there if option == f"{name}.yaml"]
            key, _, text = word.partition("=")
            instead = (f"{key}={_replaced(option, meant[0], text)}",) if meant else None
            hint = f"no such option{or_such(meant)} (there are: {', '.join(there)})"
            return Mistake((word,), f"{group}={option}: {hint}", instead)
    return None


def _replaced(option: str, meant: str, text: str) -> str:
    return re.sub(rf"(?<![\w/]){re.escape(option)}(?![\w/])", meant, text) if option else meant


def _superfluous_plus(override: Override, config_name: str | None, repo: IConfigRepository) -> Mistake | None:
    """A group that is chosen from already is chosen from without a plus."""
    if not (override.is_add() or override.is_force_add()) or override.package:
        return None
    loaded = repo.load_config(str(config_name))
    chosen = loaded.defaults_list or [] if loaded else []
    if override.key_or_group not in {each.group for each in chosen if isinstance(each, GroupDefault)}:
        return None
    plain = str(override.input_line).lstrip("+")
    return Mistake((str(override.input_line),), f"{override.input_line}: needs no plus sign", (plain,))


def _check_key(override: Override, config: DictConfig, repo: IConfigRepository) -> Iterator[Mistake]:
    key, word = override.key_or_group, str(override.input_line)
    if override.package is not None:
        return  # Hydra's to answer
    node, in_group = node_at(config, key), repo.group_exists(key.replace(".", "/"))
    if override.is_add() or override.is_force_add():
        yield from _check_new(override, node, config, repo)
    elif override.is_delete():
        if node is None or node._is_none():
            meant = nearest(key, _names(config, repo))
            instead = (f"~{meant[0]}",) if meant else None
            yield Mistake((word,), f"~{key}: there is nothing of that name to leave out{or_such(meant)}", instead)
    elif node is None:
        yield _unknown(override, config, repo)
    elif wanted := next(
        filter(None, (misfit(key, node, value, config, in_group) for value in _values(override))), None
    ):
        yield Mistake((word,), f"{word}: must be {wanted}", _fitting(override, wanted, config, repo))


def _check_new(override: Override, node: Node | None, config: DictConfig, repo: IConfigRepository) -> Iterator[Mistake]:
    key, word = override.key_or_group, str(override.input_line)
    if node is None:
        groups = _groups(repo)
        meant = nearest(key, groups) if "." not in key and override.is_add() else []
        if meant or "/" in key.partition(".")[0]:
            instead = _word_with(meant[0], word.partition("=")[2], repo) if meant else None
            yield Mistake((word,), f"{key}: no such group{or_such(meant)} (++{key}=... makes a new key)", instead)
        elif key.startswith("hydra."):
            yield from _unread(override, config, repo)
    elif override.is_add() and not node._is_none() and not isinstance(override.value(), dict | list | Sweep):
        yield Mistake((word,), f"{word}: {key} is there already, and needs no plus sign", (word[1:],))


def _unread(override: Override, config: DictConfig, repo: IConfigRepository) -> Iterator[Mistake]:
    """A new key in one of Hydra's own pages, which hold all that Hydra reads."""
    key, word = override.key_or_group, str(override.input_line)
    holder = node_at(config, key.rpartition(".")[0])
    if isinstance(holder, DictConfig) and OmegaConf.get_type(holder) is not dict:
        meant = nearest(key, _names(config, repo))
        instead = _word_with(meant[0], word.partition("=")[2], repo) if meant else None
        yield Mistake((word,), f"{key}: Hydra reads no such key{or_such(meant)}", instead)


def _unknown(override: Override, config: DictConfig, repo: IConfigRepository) -> Mistake:
    key, word = override.key_or_group, str(override.input_line)
    text = word.partition("=")[2]
    plus = f"(a key that is meant to be new takes a plus sign: +{key}=...)"
    others = _keys_of_other_options(key, repo)
    if key in others:
        what = f"{key}: no such group or key; there is one with {joined(others[key])} {plus}"
        return Mistake((word,), what, (others[key][0], word) if len(others[key]) == 1 else None)
    instead: tuple[str, ...] | None = None
    if meant := nearest(key, _names(config, repo)):
        instead = _word_with(meant[0], text, repo)
    elif meant := nearest(key, others):
        what = f"{key}: no such group or key{or_such(meant)} That is one of {joined(others[meant[0]])} {plus}"
        return Mistake((word,), what)
    else:
        holder = node_at(config, key.rpartition(".")[0]) if "." in key else None
        open_ = holder is not None and (holder._is_none() or _takes_more(holder))
        instead = (f"+{word}",) if open_ else None
    return Mistake((word,), f"{key}: no such group or key{or_such(meant)} {plus}", instead)


def _takes_more(holder: Node) -> bool:
    """A class may take arguments that its config does not name; Hydra's own pages hold all there are."""
    return isinstance(holder, DictConfig) and "_target_" in holder and OmegaConf.get_type(holder) is dict


def _word_with(name: str, text: str, repo: IConfigRepository) -> tuple[str, ...] | None:
    """`name=text`, where name is a group with its nearest option; None where there is none."""
    if repo.group_exists(name) and not repo.config_exists(f"{name}/{text}") and re.fullmatch(r"[\w./-]*", text):
        options = nearest(text, repo.get_group_options(name))
        return (f"{name}={options[0]}",) if options else None
    return (f"{name}={text}",)


def _swept(override: Override, node: Node | None) -> Mistake:
    """Several values, where one run was asked for."""
    word = str(override.input_line)
    key, _, text = word.partition("=")
    if isinstance(node, ListConfig) and isinstance(override.value(), ChoiceSweep):
        return Mistake((word,), f"{word}: a list is written {key}=[{text}] (-m would try each)", (f"{key}=[{text}]",))
    return _many(word)


def _many(word: str) -> Mistake:
    return Mistake((word,), f"{word}: several values take -m, a list is written [a,b], a text '...'", ("-m", word))


def _values(override: Override) -> list[Any]:
    value = override.value()
    if isinstance(value, ChoiceSweep):
        return [Override._convert_value(each) for each in value.list]
    return [] if isinstance(value, Sweep) else [value]


def _fitting(override: Override, wanted: str, config: DictConfig, repo: IConfigRepository) -> tuple[str, ...] | None:
    """The same word with a value that fits, where it is plain which that is."""
    word = str(override.input_line)
    key, _, text = word.partition("=")
    if wanted.startswith("a list") and not isinstance(override.value(), dict):
        return (f"{key}=[{text}]",)
    if wanted == "true or false":
        yes, no = ("yes", "on", "1", "y", "t"), ("no", "off", "0", "n", "f")
        meant = (
            ["true"] if text.lower() in yes else ["false"] if text.lower() in no else nearest(text, ("true", "false"))
        )
        return (f"{key}={meant[0]}",) if meant else None
    if wanted == "a number" and (number := re.fullmatch(r"['\"]?(-?\d+(\.\d+)?(e-?\d+)?)[a-z'\" ]*", text)):
        return (f"{key}={number[1]}",)
    group = key.replace(".", "/")
    return _word_with(group, text, repo) if "." in key and repo.group_exists(group) else None


def _groups(repo: IConfigRepository) -> list[str]:
    groups = repo.get_group_options("", ObjectType.GROUP)
    return [*groups, *(f"hydra/{name}" for name in repo.get_group_options("hydra", ObjectType.GROUP))]


def _names(config: DictConfig, repo: IConfigRepository) -> list[str]:
    """Every group and every full key that could be overridden, ours first."""
    keys = [*_groups(repo), *ELSEWHERE, *full_keys(OmegaConf.to_container(config))]
    return sorted(keys, key=lambda name: name.startswith("hydra"))


def _keys_of_other_options(key: str, repo: IConfigRepository) -> dict[str, list[str]]:
    """The keys of all options of the group that `key` is in, and which of the options have each."""
    parts = key.split(".")
    group = next(
        ("/".join(parts[:i]) for i in range(len(parts) - 1, 0, -1) if repo.group_exists("/".join(parts[:i]))), ""
    )
    having: dict[str, list[str]] = {}
    for option in repo.get_group_options(group) if group else ():
        loaded = repo.load_config(f"{group}/{option}")
        config: Any = OmegaConf.to_container(loaded.config) if loaded else {}
        for name in full_keys(config.get(group, config)):
            having.setdefault(f"{group.replace('/', '.')}.{name}", []).append(f"{group}={option}")
    return having


def _grammar(word: str, one_run: bool) -> Mistake | None:
    """What Hydra's grammar makes no sense of; in quotes it is a text."""
    parser = OverridesParser.create()
    try:
        parser.parse_overrides([word])
    except OverrideParseException as error:
        key, _, text = word.partition("=")
        if re.match(r"(choice|range|interval|sort|shuffle|tag|glob)\(.*\)$", text):
            return _many(word) if one_run else Mistake((word,), explain(error) or word)
        quoted = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
        try:
            parser.parse_overrides([f"{key}={quoted}"])
        except OverrideParseException:
            if "/" in key and "." in key.partition("/")[0]:
                holder, _, name = key.rpartition(".")
                what = f"{word}: Hydra takes no key with a dot and a slash; in braces it does"
                return Mistake((word,), what, (f"{holder}={{{name}: {text}}}",))
            dotted = re.sub(r"\[(\d+)\]", r".\1", key)
            instead = (f"{dotted}={text}",) if dotted != key else None
            return Mistake((word,), f"{word}: {key} is no name of a key", instead)
        return Mistake((word,), f"{word}: such a value is put in quotes", (f"{key}={quoted}",))
    return None


def _told_by_hydra(error: Exception, words: Sequence[str]) -> Mistake:
    """What Hydra alone finds, in the words of its exception."""
    what = explain(error) or str(error)
    for word in words:
        key = word.lstrip("+~").partition("=")[0]
        if f"'{key}'" in what and "default list use +" in what:
            return Mistake((word,), f"{word}: is chosen from nowhere yet, and takes a plus sign", (f"+{word}",))
    return Mistake((), what)
