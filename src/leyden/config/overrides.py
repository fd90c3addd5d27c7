"""What is wrong with one override, held against the config that it is to change, and what was probably meant."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra.core.default_element import GroupDefault
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, OverrideType
from hydra.errors import OverrideParseException
from omegaconf import DictConfig, ListConfig, Node, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from leyden.config.explain import explain
from leyden.config.interpolations import lost
from leyden.config.kinds import Kind, deepest, misfit, node_at
from leyden.config.mistakes import Mistake
from leyden.config.pages import PageError
from leyden.config.spelling import FUNCTIONS
from leyden.config.values import by_full_key, full_keys
from leyden.nearest import begun, joined, nearest, or_such

ELSEWHERE = ("resume",)  # keys that are in no config
# Written by Hydra; what is typed there is lost.
HYDRAS = re.compile(r"hydra\.(overrides|runtime|job\.(num|id|override_dirname|config_name))\b")
MEANT = dict.fromkeys(("yes", "on", "1", "y", "t"), "true") | dict.fromkeys(("no", "off", "0", "n", "f"), "false")

OR_NULL = ("trainer.max_epochs", "trainer.check_val_every_n_epoch")  # numbers that may be null, which is for no limit
NONE = ("none", "~", "nil", "nan", "inf", "true", "false")  # what is typed for that


def parts_of(override: Override, config: DictConfig) -> list[Override]:
    """A mapping sets what is in it, key by key, where there is one already."""
    key, value, node = override.key_or_group, override.value(), node_at(config, override.key_or_group)
    closed = node is None or node._is_none() or node._is_interpolation() or not isinstance(node, DictConfig)
    if override.is_delete() or closed or not isinstance(value, dict):
        return [override]
    how = OverrideType.FORCE_ADD if override.is_add() else override.type
    inner = [replace(override, type=how, key_or_group=f"{key}.{name}", _value=each) for name, each in value.items()]
    return [part for each in inner for part in parts_of(each, config)]


def is_readable(word: str) -> bool:
    try:
        OverridesParser.create().parse_overrides([word])
    except OverrideParseException:
        return False
    return True


def wrong_choice(override: Override, config_name: str | None, repo: IConfigRepository) -> Mistake | None:
    """What is wrong with GROUP=OPTION."""
    group, word, value = override.key_or_group, str(override.input_line), override.value()
    if isinstance(value, dict) or not repo.group_exists(group):
        return None
    if override.is_delete() and (value is None or isinstance(value, str)):
        return None
    if override.is_delete() or value is None:
        return Mistake((word,), f"{word}: a group is left out with ~{group}", (f"~{group}",))
    return _superfluous_plus(override, config_name, repo) or _wrong_option(override, repo)


def _wrong_option(override: Override, repo: IConfigRepository) -> Mistake | None:
    group, word, value = override.key_or_group, str(override.input_line), override.value()
    there = repo.get_group_options(group)
    if isinstance(value, ChoiceSweep):
        options = list(override.sweep_string_iterator())
    elif override.is_sweep_override():
        options = []
    else:
        options = [str(option) for option in value] if isinstance(value, list) else [str(value)]
    for option in options:
        if not repo.config_exists(f"{group}/{option}"):
            meant = nearest(option.removesuffix(".yaml"), there)
            key, _, text = word.partition("=")
            instead = (f"{key}={_replaced(option, meant[0], text)}",) if meant else None
            hint = f"no such option{or_such(meant)} (there are: {', '.join(there)})"
            return Mistake((word,), f"{group}={option}: {hint}", instead)
    return None


def _replaced(option: str, meant: str, text: str) -> str:
    return re.sub(rf"(?<![\w/]){re.escape(option)}(?![\w/])", meant, text) if option else meant


def _superfluous_plus(override: Override, config_name: str | None, repo: IConfigRepository) -> Mistake | None:
    """A group that is chosen from already is chosen from without a plus, another one with one."""
    word = str(override.input_line)
    loaded = repo.load_config(str(config_name))
    chosen = loaded.defaults_list or [] if loaded else []
    known = override.key_or_group in {each.group for each in chosen if isinstance(each, GroupDefault)}
    if known and override.package is None and word.startswith("+"):
        return Mistake((word,), f"{word}: needs no plus sign", (word.lstrip("+"),))
    return Mistake((word,), f"{word}: one plus sign is enough", (word[1:],)) if override.is_force_add() else None


def wrong_key(override: Override, config: DictConfig, repo: IConfigRepository) -> Iterator[Mistake]:
    """What is wrong with KEY=VALUE, +KEY=VALUE or ~KEY."""
    key, word = override.key_or_group, str(override.input_line)
    node, in_group = node_at(config, key), repo.group_exists(key.replace(".", "/"))
    several = isinstance(override.value(), dict | list) or any(isinstance(each, list) for each in _values(override))
    if override.package is not None:
        meant = nearest(key, groups_in(repo))
        instead = (word.replace(key, meant[0], 1),) if meant else None
        yield Mistake((word,), f"{word}: there is no group {key}{or_such(meant)}", instead)
    elif override.is_delete():
        yield from _check_left_out(override, node, config, repo)
    elif node is None:
        yield from _check_new(override, config, repo)
    elif override.is_add() and not node._is_none() and not several:
        yield Mistake((word,), f"{word}: {key} is there already, and needs no plus sign", (word[1:],))
    else:
        values = _values(override)
        wrong = [(value, wanted) for value in values if (wanted := misfit(key, node, value, config, in_group))]
        if wrong:
            value, wanted = wrong[0]
            what = word if _is_whole(override) else f"{key}={value}"
            null = " or null" * (key in OR_NULL and str(value).lower() in NONE)
            yield Mistake((word,), f"{what}: must be {wanted}{null}", _fitting(override, wanted, config, repo))


def _check_left_out(
    override: Override, node: Node | None, config: DictConfig, repo: IConfigRepository
) -> Iterator[Mistake]:
    key, word, value = override.key_or_group, str(override.input_line), override.value()
    if node is None or node._is_none():
        meant = nearest(key, names_in(config, repo))
        what = f"~{key}: there is nothing of that name to leave out{or_such(meant)}"
        yield Mistake((word,), what, (f"~{meant[0]}",) if meant else None)
    elif "=" in word and value != OmegaConf.select(config, key, throw_on_resolution_failure=False):
        yield Mistake((word,), f"{word}: has another value; it is left out with ~{key}", (f"~{key}",))


def _check_new(override: Override, config: DictConfig, repo: IConfigRepository) -> Iterator[Mistake]:
    """A key that is not there, with a plus or without one."""
    key, word = override.key_or_group, str(override.input_line)
    where, holder = deepest(config, key)
    if isinstance(holder, DictConfig) and OmegaConf.get_type(holder) is not dict:  # one of Hydra's, which hold all
        meant = nearest(key, names_in(config, repo))
        what = f"{key}: Hydra reads no such key{or_such(meant)}"
        yield Mistake((word,), what, _renamed(override, meant, repo))
    elif not (override.is_add() or override.is_force_add()):
        takes_more = where == key.rpartition(".")[0] and (holder._is_none() or _takes_more(where, holder))
        yield _unknown(override, takes_more, config, repo)
    else:
        meant = nearest(key, groups_in(repo)) if "." not in key and override.is_add() else []
        if meant or "/" in key.partition(".")[0]:
            what = f"{key}: no such group{or_such(meant)} (++{key}=... makes a new key)"
            yield Mistake((word,), what, _renamed(override, meant, repo))


def _takes_more(where: str, holder: Node) -> bool:
    """A class may take arguments that its config does not name, and so may what Hydra reads as a mapping."""
    return isinstance(holder, DictConfig) and ("_target_" in holder or where.startswith("hydra."))


def _unknown(override: Override, takes_more: bool, config: DictConfig, repo: IConfigRepository) -> Mistake:
    key, word = override.key_or_group, str(override.input_line)
    plus = f"(a key that is meant to be new takes a plus sign: +{key}=...)"
    others, near = _keys_of_other_options(key, repo), nearest(key, names_in(config, repo))
    if key in others and not (near and _is_chosen_by_a_page(key, repo)):
        what = f"{key}: no such group or key; there is one with {joined(others[key])} {plus}"
        free = len(others[key]) == 1 and not _is_chosen_by_a_page(key, repo)  # an experiment's parts fit each other
        return Mistake((word,), what, (others[key][0], word) if free else None)
    if meant := near or begun(key, names_in(config, repo)):
        instead = _renamed(override, meant, repo) if near or len(meant) == 1 else None
    elif meant := nearest(key, others):
        what = f"{key}: no such group or key{or_such(meant)} That is one of {joined(others[meant[0]])} {plus}"
        return Mistake((word,), what)
    else:
        instead = (f"+{word}",) if takes_more else None
    return Mistake((word,), f"{key}: no such group or key{or_such(meant)} {plus}", instead)


def _is_chosen_by_a_page(key: str, repo: IConfigRepository) -> bool:
    """Whether a file, an experiment's, chooses the option of the group that the key is in."""
    pages = repo.cache.values() if isinstance(repo, CachingConfigRepository) else ()
    lines = [line for page in pages if page for line in page.defaults_list or ()]
    groups = [str(line.group).lstrip("/") for line in lines if isinstance(line, GroupDefault) and line.override]
    return any(f"{key}.".startswith(f"{group.replace('/', '.')}.") for group in groups)


def _is_whole(override: Override) -> bool:
    """Whether it is a word of its own, and none of the keys that a word sets in braces."""
    return str(override.input_line).lstrip("+~").partition("=")[0] == override.key_or_group


def _renamed(override: Override, names: Sequence[str], repo: IConfigRepository) -> tuple[str, ...] | None:
    """The word with the first of `names` in it, and, where that is a group, its nearest option; None where there is
    none."""
    if not names:
        return None
    word = str(override.input_line)
    if _is_whole(override):
        return _chosen(names[0], word.partition("=")[2], repo)
    (where, _, wrong), (meant, _, right) = override.key_or_group.rpartition("."), names[0].rpartition(".")
    renamed = re.sub(rf"(?<![\w/]){re.escape(wrong)}(?=\s*:)", right, word, count=1)
    return (renamed,) if where == meant else None


def _chosen(name: str, text: str, repo: IConfigRepository) -> tuple[str, ...] | None:
    """`name=text`, where name is a group with its nearest option; None where there is none."""
    if repo.group_exists(name) and not repo.config_exists(f"{name}/{text}") and re.fullmatch(r"[\w./-]*", text):
        options = nearest(text, repo.get_group_options(name))
        return (f"{name}={options[0]}",) if options else None
    return (f"{name}={text}",)


def unresolved(override: Override, config: DictConfig) -> Iterator[Mistake]:
    """Interpolations that name nothing, when all words have changed the config."""
    if override.is_delete():
        yield from _still_referred_to(override, config)
    elif "${" in str(override.input_line) and not override.is_sweep_override():
        for part in parts_of(override, config):
            try:
                OmegaConf.select(config, part.key_or_group)
            except OmegaConfBaseException as error:
                yield from _refers_to_nothing(str(override.input_line), str(error), config)


def _still_referred_to(override: Override, config: DictConfig) -> Iterator[Mistake]:
    key, word = override.key_or_group, str(override.input_line)
    for user, text in by_full_key(config).items():
        for name in re.findall(r"\$\{([a-zA-Z_][\w.]*)\}", text) if isinstance(text, str) else ():
            if f"{name}.".startswith(f"{key}.") and node_at(config, name) is None:
                yield Mistake((word,), f"{word}: {user} refers to it")
                return


def _refers_to_nothing(word: str, error: str, config: DictConfig) -> Iterator[Mistake]:
    """What of OmegaConf's errors is the word's fault; others are of values that are there when the run is."""
    if found := lost(error, config):
        instead = (_replaced(found.name, found.meant, word),) if found.meant else None
        yield Mistake((word,), f"{word}: {found.what}", instead)


def swept(override: Override, node: Node | None) -> Mistake:
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
    return [] if override.is_sweep_override() else [value]


def _fitting(override: Override, wanted: str, config: DictConfig, repo: IConfigRepository) -> tuple[str, ...] | None:
    """The same word with a value that fits, where it is plain which that is."""
    key, _, text = str(override.input_line).partition("=")
    if not _is_whole(override):
        return None
    if (name := re.fullmatch(r"\$\{?([a-z_][\w.]*)|\{([a-z_][\w.]*)\}", text)) and node_at(config, name[1] or name[2]):
        return (f"{key}=${{{name[1] or name[2]}}}",)
    if wanted == Kind.LIST and not isinstance(override.value(), dict):
        return (f"{key}=[{text}]",)
    if wanted == Kind.TRUTH:
        meant = MEANT.get(text.lower()) or next(iter(nearest(text, ("true", "false"))), None)
        return (f"{key}={meant}",) if meant else None
    if key in OR_NULL and text.lower() in NONE:
        return None if text.lower() in ("true", "false") else (f"{key}=null",)
    if wanted == Kind.NUMBER and (
        number := re.fullmatch(r"['\"]?(-?\d+(\.\d+)?(e-?\d+)?)([kKM]?)(?![bdghms]\b)[a-z'\" ]*(#.*)?", text)
    ):
        return (f"{key}={_times(number[1], number[4])}",)
    group = key.replace(".", "/")
    return _chosen(group, text, repo) if "." in key and repo.group_exists(group) else None


def _times(number: str, unit: str) -> str:
    """1k is a thousand."""
    return number if not unit else f"{float(number) * {'k': 1e3, 'K': 1e3, 'M': 1e6}[unit]:.12g}"


def groups_in(repo: IConfigRepository) -> list[str]:
    groups = repo.get_group_options("", ObjectType.GROUP)
    return [*groups, *(f"hydra/{name}" for name in repo.get_group_options("hydra", ObjectType.GROUP))]


def names_in(config: DictConfig, repo: IConfigRepository) -> list[str]:
    """Every group and every full key that could be overridden, ours first."""
    keys = [*groups_in(repo), *ELSEWHERE, *full_keys(config)]
    return sorted((key for key in keys if not HYDRAS.match(key)), key=lambda name: name.startswith("hydra"))


def _keys_of_other_options(key: str, repo: IConfigRepository) -> dict[str, list[str]]:
    """The keys of all options of the group that `key` is in, and which of the options have each."""
    parts = key.split(".")
    group = next(
        ("/".join(parts[:i]) for i in range(len(parts) - 1, 0, -1) if repo.group_exists("/".join(parts[:i]))), ""
    )
    having: dict[str, list[str]] = {}
    for option in repo.get_group_options(group) if group else ():
        try:
            loaded = repo.load_config(f"{group}/{option}")
        except PageError:  # nobody has chosen it
            continue
        config: Any = OmegaConf.to_container(loaded.config) if loaded else {}
        for name in full_keys(config.get(group, config)):
            having.setdefault(f"{group.replace('/', '.')}.{name}", []).append(f"{group}={option}")
    return having


def unreadable(word: str, one_run: bool) -> tuple[Mistake, str | None]:
    """What Hydra's grammar makes no sense of, and the word in quotes, where its value is then a text."""
    key, _, text = word.partition("=")
    called = re.fullmatch(r"(\w+)\(.*\)", text)
    if called and called[1] in FUNCTIONS:
        return _many(word) if one_run else Mistake((word,), f"{word}: is written {FUNCTIONS[called[1]]}"), None
    quoted = key + "='" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if is_readable(quoted):
        if text[:1] in ("{", "["):
            return Mistake((word,), f"{word}: is no list or mapping, such as [1,2] or {{a: 1}}"), quoted
        return Mistake((word,), f"{word}: such a value is put in quotes", (quoted,)), quoted
    if "/" in key and "." in key.partition("/")[0]:
        holder, _, name = key.rpartition(".")
        what = f"{word}: Hydra takes no key with a dot and a slash; in braces it does"
        return Mistake((word,), what, (f"{holder}={{{name}: {text}}}",)), None
    dotted = re.sub(r"\[(\d+)\]", r".\1", key)
    instead = (f"{dotted}={text}",) if dotted != key else None
    return Mistake((word,), f"{word}: {key} is no name of a key", instead), None


def told_by_hydra(error: Exception, words: Sequence[str]) -> Mistake:
    """What Hydra alone finds, in the words of its exception."""
    what = "; ".join(explain(error)) or str(error)
    for word in words:
        key = word.lstrip("+~").partition("=")[0]
        if f"use +{word}" in what:
            return Mistake((word,), f"{word}: there is no {key} to change; a new one takes a plus sign", (f"+{word}",))
        if word.startswith("~") and f"Could not delete '{word[1:]}'" in what:
            return Mistake(
                (word,), f"{word}: another option is chosen; the group is left out with ~{key}", (f"~{key}",)
            )
    return Mistake((), what)
