"""The words of a command: what is wrong with them, all of it at once, and what was probably meant.

How a word is written is seen in the word (`spelt`). Whether there is what it names, and whether its value fits, is
seen in the config that it is to change: `CheckedLoader` looks between the two steps in which Hydra composes.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from omegaconf import AnyNode, Container, DictConfig, ListConfig, Node, OmegaConf, ValueNode
from omegaconf.errors import OmegaConfBaseException

from leyden.config.explain import explain, full_keys, joined, or_such
from leyden.config.nearest import nearest
from leyden.errors import UserError

FLAGS = (
    *("--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--resolve", "--package", "-p", "--run", "-r"),
    *("--multirun", "-m", "--shell-completion", "-sc", "--config-path", "-cp", "--config-name", "-cn"),
    *("--config-dir", "-cd", "--info", "-i"),
)
SHOWN = ("job", "hydra", "all")
SHOWING = ("--cfg", "-c", "--info", "-i", "--shell-completion", "-sc")
INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
WITH_VALUE = (
    *("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"),
    *("--info", "-i"),
)
TYPOGRAPHIC = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "–": "-", "—": "--", "−": "-"})
CLOSING = {"[": "]", "(": ")", "{": "}"}
ELSEWHERE = ("resume",)  # keys that are in no config
# What is taken besides the kind of the default that stands in the config.
TAKEN_TOO = {
    "trainer.devices": r"auto|-?\d+(,\s*\d+)*,?|\[[\d, ]*\]",
    "trainer.deterministic": "warn",
    "hydra.verbose": ".*",
}


@dataclass(frozen=True)
class Mistake:
    """`words` of the command, what is wrong with them, and the words to put in their place, where they are known."""

    words: tuple[str, ...]
    what: str
    instead: tuple[str, ...] | None = None


class WrongWords(UserError):
    """All that is wrong with the words of one command."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = list(mistakes)
        super().__init__("; ".join(dict.fromkeys(mistake.what for mistake in mistakes)))

    def with_command(self, program: str, words: Sequence[str]) -> UserError:
        """The same, and the command to paste: `words` as they were probably meant."""
        corrected = self.corrected(words)
        return UserError(f"{self}; try: {program} {in_shell(corrected)}" if corrected else str(self))

    def corrected(self, words: Sequence[str]) -> list[str] | None:
        """The words as they were probably meant; None where that is not known of all."""
        meant = list(words)
        for mistake in self.mistakes:
            starts = [i for i in range(len(meant)) if tuple(meant[i : i + len(mistake.words)]) == mistake.words]
            if mistake.instead is None or not starts:
                return None
            meant[starts[0] : starts[0] + len(mistake.words)] = mistake.instead
        return ["-m"] * ("-m" in meant) + [word for word in meant if word != "-m"]


def in_shell(words: Sequence[str]) -> str:
    """As they are typed. Hydra has quotes of its own, often single ones: the shell then gets double ones."""
    return " ".join(
        word
        if re.fullmatch(r"[\w@%+=:,./-]+|[\w@%+=:,./-]*=\[[\w.,/-]*\]", word)
        else f"'{word}'"
        if "'" not in word
        else '"' + re.sub(r'(["$`\\])', r"\\\1", word) + '"'
        for word in words
    )


def checked_words(words: Sequence[str], configs: Path) -> list[str]:
    """The words in an order that Hydra understands: `-m`, overrides, other flags. Raises WrongWords."""
    use_checked_loader()
    meant, mistakes = spelt(words, configs)
    if mistakes:
        raise all_wrong(words, configs) or WrongWords(mistakes)
    multirun = [word for word in meant if word in ("-m", "--multirun")]
    overrides, flags = _apart(meant)
    shows = sorted({word for word in flags if word in SHOWING})
    if multirun and shows:
        raise UserError(f"{shows[0]}: shows the config of one run, not of a sweep: leave {multirun[0]} out")
    if len(shows) > 1:
        raise UserError(f"{joined(shows)}: only one of them is answered at a time")
    return multirun[:1] + overrides + flags


def all_wrong(words: Sequence[str], configs: Path) -> WrongWords | None:
    """All that can be seen without running anything."""
    use_checked_loader()
    meant, mistakes = spelt(words, configs)
    overrides, flags = _apart(meant)
    mode = RunMode.MULTIRUN if {"-m", "--multirun"} & set(meant) else RunMode.RUN
    if not any(flag.startswith(("--config", "-cd", "-cn", "-cp")) for flag in flags):
        with initialize_config_dir(str(configs), version_base="1.3"):
            try:
                GlobalHydra.instance().config_loader().load_configuration("train", overrides, mode)
            except WrongWords as error:
                mistakes += error.mistakes
    return WrongWords(mistakes) if mistakes else None


def _apart(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The overrides, and the flags with their values."""
    overrides, flags = list[str](), list[str]()
    for before, word in zip(["", *words], words, strict=False):
        is_value = before in WITH_VALUE and (before not in ("--info", "-i") or word in INFO)
        if word not in ("-m", "--multirun"):
            (flags if is_value or word.startswith("-") else overrides).append(word)
    return overrides, flags


def use_checked_loader() -> None:
    """Let Hydra compose with it, from here on. Hydra has no other place where a loader could be named."""
    hydra._internal.hydra.ConfigLoaderImpl = CheckedLoader  # type: ignore[attr-defined,misc]


class CheckedLoader(ConfigLoaderImpl):
    """Hydra's loader, which also holds the words against the config that they are to change, before they change it.

    Raises WrongWords with all that is wrong with them.
    """

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        self._mistakes: list[Mistake] = []
        self._parsed: list[Override] = []
        self._one_run = run_mode == RunMode.RUN and validate_sweep_overrides
        try:
            return super().load_configuration(config_name, overrides, run_mode, from_shell, validate_sweep_overrides)
        except WrongWords:
            raise
        except (HydraException, ValueError) as error:
            if not isinstance(error, HydraException) and not self._mistakes:
                raise
            raise WrongWords([*self._mistakes, _told_by_hydra(error, overrides)]) from error
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
        for override in self._parsed:
            if override.is_sweep_override() and self._one_run:
                self._mistakes.append(_swept(override, _node(config, override.key_or_group)))
            elif repo.group_exists(override.key_or_group) and not isinstance(override.value(), dict):
                continue
            elif not (swept_group and override.is_sweep_override()):  # its jobs are then composed one by one
                self._mistakes += _check_key(override, config, repo)
        if self._mistakes:
            raise WrongWords(self._mistakes)
        return config

    def _check_groups(self, config_name: str | None, parsed: list[Override], repo: IConfigRepository) -> None:
        """Of what is wrong, what was probably meant takes the place, so that the keys are held against that."""
        for override in list(parsed):
            value = override.value()
            if override.is_delete() or isinstance(value, dict) or not repo.group_exists(override.key_or_group):
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
    node, in_group = _node(config, key), repo.group_exists(key.replace(".", "/"))
    if override.is_add() or override.is_force_add():
        yield from _check_new(override, node, config, repo)
    elif override.is_delete():
        if node is None or node._is_none():
            meant = nearest(key, _names(config, repo))
            instead = (f"~{meant[0]}",) if meant else None
            yield Mistake((word,), f"~{key}: there is nothing of that name to leave out{or_such(meant)}", instead)
    elif node is None:
        yield _unknown(override, config, repo)
    elif wanted := next(filter(None, (_misfit(key, node, value, config, in_group) for value in _values(override))), None):
        yield Mistake((word,), f"{word}: must be {wanted}", _fitting(override, wanted, config, repo))


def _check_new(
    override: Override, node: Node | None, config: DictConfig, repo: IConfigRepository
) -> Iterator[Mistake]:
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
    holder = _node(config, key.rpartition(".")[0])
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
        instead = (others[key][0], word) if len(others[key]) == 1 else None
        return Mistake((word,), f"{key}: no such group or key; there is one with {joined(others[key])} {plus}", instead)
    if meant := nearest(key, _names(config, repo)):
        instead = _word_with(meant[0], text, repo)
    elif meant := nearest(key, others):
        what = f"{key}: no such group or key{or_such(meant)} That is one of {joined(others[meant[0]])} {plus}"
        return Mistake((word,), what)
    else:
        holder = _node(config, key.rpartition(".")[0]) if "." in key else None
        open_ = holder is not None and (holder._is_none() or _takes_more(holder))
        instead = (f"+{word}",) if open_ else None
    return Mistake((word,), f"{key}: no such group or key{or_such(meant)} {plus}", instead)


def _takes_more(holder: Node) -> bool:
    """A class of the config's may take arguments that the config does not name; Hydra's own pages hold all there are."""
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


def _misfit(key: str, node: Node, value: Any, config: DictConfig, in_group: bool) -> str:
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
        keys = [f"{key}.{name}" for name in node]
        return f"one of its keys: {', '.join(map(str, keys))}" if keys else "keys and values, such as {a: 1}"
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
        return {"bool": "true or false", "int": "a number", "float": "a number", "str": "a text"}.get(kind, "of another kind")
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
    holder = _node(config, key.rpartition(".")[0])
    return isinstance(holder, DictConfig) and "_target_" in holder


def _fitting(override: Override, wanted: str, config: DictConfig, repo: IConfigRepository) -> tuple[str, ...] | None:
    """The same word with a value that fits, where it is plain which that is."""
    word = str(override.input_line)
    key, _, text = word.partition("=")
    if wanted.startswith("a list") and not isinstance(override.value(), dict):
        return (f"{key}=[{text}]",)
    if wanted == "true or false":
        yes, no = ("yes", "on", "1", "y", "t"), ("no", "off", "0", "n", "f")
        meant = ["true"] if text.lower() in yes else ["false"] if text.lower() in no else nearest(text, ("true", "false"))
        return (f"{key}={meant[0]}",) if meant else None
    if wanted == "a number" and (number := re.fullmatch(r"['\"]?(-?\d+(\.\d+)?(e-?\d+)?)[a-z'\" ]*", text)):
        return (f"{key}={number[1]}",)
    group = key.replace(".", "/")
    return _word_with(group, text, repo) if "." in key and repo.group_exists(group) else None


def _node(config: DictConfig, key: str) -> Node | None:
    """What stands at a key; None where there is no such key."""
    node: Node | None = config
    for part in key.split("."):
        if not isinstance(node, Container) or node._is_none() or node._is_interpolation() or node._is_missing():
            return None
        if isinstance(node, DictConfig) and part in node.keys():  # noqa: SIM118 - `in` alone is False for ???
            node = node._get_node(part)  # type: ignore[assignment]
        elif isinstance(node, ListConfig) and part.isdecimal() and int(part) < len(node):
            node = node._get_node(int(part))  # type: ignore[assignment]
        else:
            return None
    return node


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
    group = next(("/".join(parts[:i]) for i in range(len(parts) - 1, 0, -1) if repo.group_exists("/".join(parts[:i]))), "")
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
        quoted = "'{}'".format(text.replace("\\", "\\\\").replace("'", "\\'"))
        try:
            parser.parse_overrides([f"{key}={quoted}"])
        except OverrideParseException:
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


def spelt(words: Sequence[str], configs: Path) -> tuple[list[str], list[Mistake]]:
    """The words as they were probably meant, and what is wrong with how they are written."""
    rest, good, mistakes = list(words), list[str](), list[Mistake]()
    while rest:
        if mistake := _misspelt(rest, configs):
            mistakes.append(mistake)
            good += mistake.instead or ()
            del rest[: len(mistake.words)]
        else:
            value = rest[0] in WITH_VALUE and len(rest) > 1 and not (rest[0] in ("--info", "-i") and rest[1] not in INFO)
            good += rest[: 1 + value]
            del rest[: 1 + value]
    return good, mistakes


def _misspelt(words: Sequence[str], configs: Path) -> Mistake | None:
    """What is wrong with the first of the words; the others tell whether the shell has split it."""
    word = words[0]
    following = words[1] if len(words) > 1 and not words[1].startswith("-") else ""
    plain = word.translate(TYPOGRAPHIC)
    if plain != word and (word[0] in "–—−" or re.search("[“”„‘’]", word)):
        what = f"{word}: its quotes or dashes are those of a text processor"
        return Mistake((word,), what, (plain.strip("'\"") if plain[0] in "'\"" else plain,))
    if word.startswith("-"):
        return _wrong_flag(word, following, words[1:2])
    key, equals, text = word.partition("=")
    if not equals:
        return None if word[:1] in ("~", "+") and word.strip("~+") else _without_equals(word, following, words, configs)
    if not key.lstrip("+~").strip():
        return Mistake((word,), f"{word}: there is no key before the equals sign")
    if key != key.strip() or (text != text.strip() and not text.strip().startswith(("'", '"'))):
        return Mistake((word,), f"{word}: has spaces around its equals sign", (f"{key.strip()}={text.strip()}",))
    if not text and following and "=" not in following and following[0] not in "+~":
        return Mistake((word, following), f"{word} {following}: an override has no spaces", (f"{word}{following}",))
    if text.startswith("="):
        return Mistake((word,), f"{word}: one equals sign is enough", (f"{key}={text.lstrip('=')}",))
    if leads_out(word, configs):
        what = f"{word}: must be a plain name, with no way out of the folder that it is looked for in"
        return Mistake((word,), what)
    return _unbalanced(words)


def _wrong_flag(word: str, following: str, next_word: Sequence[str]) -> Mistake | None:
    name, equals, _ = word.lstrip("-").partition("=")
    if word.split("=")[0] in FLAGS:
        choices = SHOWN if word in ("--cfg", "-c") else INFO if word in ("--info", "-i") else ()
        if choices == SHOWN and not next_word:
            return Mistake((word,), f"{word}: must be followed by {joined(choices, 'or')}", (word, "job"))
        if choices == SHOWN and next_word[0] not in choices:
            meant = nearest(next_word[0], choices)
            what = f"{word} {next_word[0]}: shows {joined(choices, 'or')}{or_such(meant)}"
            return Mistake((word, next_word[0]), what, (word, meant[0]) if meant else None)
        if word in WITH_VALUE and not choices and not next_word:
            return Mistake((word,), f"{word}: must be followed by a value")
        return None
    flags = nearest(word, [flag for flag in FLAGS if flag.startswith("--")]) if not equals and name else []
    if flags and (not following or "=" in following):
        return Mistake((word,), f"{word}: no such flag{or_such(flags)}", (flags[0],))
    what = f"{word}: no such flag; overrides are written without dashes: {name}=..."
    if equals:
        return Mistake((word,), what, (word.lstrip("-"),))
    if following and "=" not in following:
        return Mistake((word, following), what, (f"{name}={following}",))
    return Mistake((word,), what)


def _without_equals(word: str, following: str, words: Sequence[str], configs: Path) -> Mistake:
    """The shell has split it, or something else than `=` stands between key and value, or it is an option alone."""
    if following == "=" and len(words) > 2:
        return Mistake(tuple(words[:3]), f"{' '.join(words[:3])}: an override has no spaces", (f"{word}={words[2]}",))
    if following.startswith("=") and len(following) > 1:
        return Mistake((word, following), f"{word} {following}: an override has no spaces", (f"{word}{following}",))
    what = f"{word}: an override is GROUP=OPTION or KEY=VALUE"
    options = {file.stem: f"{file.parent.name}={file.stem}" for file in sorted(configs.glob("*/*.yaml"))}
    key, colon, text = word.partition(":")
    if colon and key and text:
        return Mistake((word,), what, (f"{key}={text}",))
    is_key = (configs / key).is_dir() or "." in key or key not in options
    if following and "=" not in following and (colon or is_key):
        return Mistake((word, following), f"{what}, with no space", (f"{key}={following}",))
    if len(parts := re.split(r"[/.]", word)) == 2 and (configs / parts[0] / f"{parts[1]}.yaml").is_file():
        return Mistake((word,), f"{what}, did you mean {'='.join(parts)}?", ("=".join(parts),))
    meant = [options[name] for name in nearest(word, options)] if word else []
    return Mistake((word,), f"{what}{or_such(meant)}", (meant[0],) if meant else None)


def _unbalanced(words: Sequence[str]) -> Mistake | None:
    """A bracket or a quote that is not closed, or closed once too often."""
    word = words[0]
    key, _, text = word.partition("=")
    missing = _missing(text)
    if missing == "":
        return None
    for count in range(2, len(words) + 1):
        whole = " ".join(words[:count])
        if _missing(whole.partition("=")[2]) == "":
            what = f"{whole}: the shell splits it at its spaces"
            return Mistake(tuple(words[:count]), what, (re.sub(r"([,:\[{(]) +", r"\1", whole),))
    if missing is None:
        closed = text
        while closed and _missing(closed) is None:
            closed = closed[:-1]
        return Mistake((word,), f"{word}: closes more brackets than it opens", (f"{key}={closed}",))
    if missing == ")" and not re.search(r"\b(choice|range|interval|glob|sort|shuffle|tag|int|float|str|bool)\(", text):
        return Mistake((word,), f"{word}: a value with a bracket in it is put in quotes", (f"{key}='{text}'",))
    if missing in ("'", '"') and text[0] != missing:
        other = {"'": '"', '"': "'"}[missing]
        return Mistake((word,), f"{word}: a value with a quote in it is put in quotes", (f"{key}={other}{text}{other}",))
    return Mistake((word,), f"{word}: {missing} is missing at its end", (f"{word}{missing}",))


def _missing(text: str) -> str | None:
    """What would close all that is open in `text`; None where more is closed than was opened."""
    open_: list[str] = []
    quote, escaped = "", False
    for letter in text:
        if quote or escaped:
            quote = "" if letter == quote and not escaped else quote
            escaped = letter == "\\" and not escaped
        elif letter in "'\"":
            quote = letter
        elif letter == "\\":
            escaped = True
        elif letter in CLOSING:
            open_.append(CLOSING[letter])
        elif letter in CLOSING.values() and (not open_ or open_.pop() != letter):
            return None
    return quote + "".join(reversed(open_))


def leads_out(word: str, configs: Path) -> bool:
    """Whether what should name a file of `configs`, or a folder of logs/, is a path to somewhere else."""
    key, _, value = word.partition("=")
    key = key.lstrip("+~").partition("@")[0]
    if key != "name" and not (configs / key).is_dir():
        return False
    paths = [Path(part.strip("'\" ")) for part in value.strip("[]'\"").split(",")]
    return any(path.is_absolute() or ".." in path.parts for path in paths)
