"""What is wrong in the files that a config is composed of: in their defaults lists, and where one does not fit another.

It is looked for only where Hydra could not compose: Hydra says what it could not do, here is told which line asks for
it.
"""

import re
from collections.abc import Iterator, Sequence

from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra.core.default_element import ConfigDefault, GroupDefault, InputDefault, ResultDefault
from omegaconf import DictConfig, ListConfig, Node
from omegaconf.errors import OmegaConfBaseException

from leyden.config.explain import one_line
from leyden.config.keys import BY_THE_ENGINE
from leyden.config.kinds import node_at
from leyden.config.overrides import groups_in, names_in
from leyden.config.pages import BOM, HEADER, file_of, folder_of, place, shown, text_of
from leyden.nearest import nearest, or_such

READ = {key.partition(".")[0] for key in BY_THE_ENGINE if "." in key}  # mappings that there must be


def circle(repo: CachingConfigRepository) -> str | None:
    """Which of the pages that were read includes itself; None where none does."""
    for page in list(repo.cache):
        if way := _way_back(page.removeprefix("config_path="), repo):
            names = [shown(file, folder_of(repo)) for each in way if (file := file_of(each, repo))]
            others = f", by way of {', '.join(names[1:])}" if names[1:] else ""
            return f"{names[0]} includes itself{others}"
    return None


def _way_back(start: str, repo: CachingConfigRepository) -> list[str] | None:
    """The pages by which `start` includes itself, it first; None where it does not."""
    ways, seen = [[start]], set[str]()
    for way in ways:
        for page in (page for default in _defaults(way[-1], repo) for page in _named(default, way[-1])):
            if page == start:
                return way
            if page not in seen:
                seen.add(page)
                ways.append([*way, page])
    return None


def wrong_defaults(primary: str, repo: CachingConfigRepository) -> list[str]:
    """What is wrong in the defaults lists of the pages that were read, with file and line."""
    chosen = {default.group for default in _defaults(primary, repo) if isinstance(default, GroupDefault)}
    told = []
    for page in [key.removeprefix("config_path=") for key, loaded in repo.cache.items() if loaded]:
        for number, default in enumerate(_defaults(page, repo)):
            if file_of(page, repo) and (what := _wrong_default(default, page, page == primary, chosen, repo)):
                line = place(page, repo, [] if HEADER in what else ["defaults", str(number)])
                told.append(f"{line}: {what}")
    return list(dict.fromkeys(told))


def _defaults(page: str, repo: CachingConfigRepository) -> list[InputDefault]:
    loaded = repo.cache.get(f"config_path={page}")
    return (loaded.defaults_list or []) if loaded else []


def _full_group(default: GroupDefault, page: str) -> str:
    """A group is looked for beside the page, but for one with a slash at its beginning."""
    group, folder = str(default.group), page.rpartition("/")[0]
    return group[1:] if group.startswith("/") else f"{folder}/{group}" if folder else group


def _named(default: InputDefault, page: str) -> list[str]:
    """The pages that a line of a defaults list includes; an override only says which one another line includes."""
    if isinstance(default, ConfigDefault):
        path, folder = str(default.path), page.rpartition("/")[0]
        own = path == "_self_"
        return [] if own else [path[1:] if path[:1] == "/" else f"{folder}/{path}" if folder else path]
    if not isinstance(default, GroupDefault) or default.override:
        return []
    return [f"{_full_group(default, page)}/{option}" for option in _options(default)]


def _options(default: GroupDefault) -> list[str]:
    values = default.value if isinstance(default.value, list) else [default.value]
    return [value.removesuffix(".yaml") for value in values if value and "${" not in value and value != "???"]


def _wrong_default(
    default: InputDefault, page: str, is_primary: bool, chosen: set[str | None], repo: CachingConfigRepository
) -> str | None:
    if isinstance(default, ConfigDefault):
        return _wrong_page(default, page, repo)
    if not isinstance(default, GroupDefault) or default.is_interpolation():
        return None
    typed, group = str(default.group), _full_group(default, page)
    value = f"[{', '.join(default.value)}]" if isinstance(default.value, list) else default.value
    line = f"{'override ' * bool(default.override)}{typed}: {value}"
    meant = f"override /{typed.removeprefix('/')}: {value}"
    if not repo.group_exists(group):
        if default.optional:
            return None
        if group != typed and repo.group_exists(typed):
            return f"{line}: is looked for in {page.rpartition('/')[0]}/; write `{meant}`"
        near = nearest(group, groups_in(repo))
        return f"{group}: no such group{or_such(near)}"
    if not default.override and not is_primary and group in chosen and default.package is None:
        return f"{line}: {group} is chosen before; write `{meant}`"
    if default.override and default.package is None and _package(page, repo) != "_global_":
        begins = text_of(file) if (file := file_of(page, repo)) else ""
        why = " (it has a byte order mark before it: save it without one)" if begins.startswith(BOM) else ""
        return f"the first line must be `{HEADER}`{why}"
    lost = [] if default.optional else [each for each in _options(default) if not repo.config_exists(f"{group}/{each}")]
    return _no_option(group, lost[0], repo) if lost else None


def _package(page: str, repo: CachingConfigRepository) -> str | None:
    loaded = repo.cache[f"config_path={page}"]
    return loaded.header["package"] if loaded else None


def _wrong_page(default: ConfigDefault, page: str, repo: CachingConfigRepository) -> str | None:
    for named in [] if default.optional else _named(default, page):
        if not repo.config_exists(named):
            if parts := re.fullmatch(r"((?:override |optional )*/?[\w/]+)(?:=|\s+)([\w/-]+)", str(default.path)):
                return f"{default.path}: wants a colon: `{parts[1]}: {parts[2]}`"
            group, _, option = named.rpartition("/")
            return _no_option(group, option, repo)
    return None


def _no_option(group: str, option: str, repo: IConfigRepository) -> str:
    there = repo.get_group_options(group) if repo.group_exists(group) else []
    told = f"{group}={option}" if group else option
    return f"{told}: no such option{or_such(nearest(option, there))} (there are: {', '.join(there) or 'none'})"


def told_of_page(error: Exception, repo: IConfigRepository) -> str | None:
    """What Hydra says of a page, with the line of its defaults list; None where it names none."""
    what = one_line(str(error)).partition(" Config search path:")[0]
    begun = re.fullmatch(r"In '?([\w/.-]+?)'?: (.*)", what)
    ended = re.fullmatch(r"(Duplicate _self_) defined in ([\w/.-]+)", what)
    page, rest = (begun[1], begun[2]) if begun else (ended[2], ended[1]) if ended else ("", "")
    return f"{place(page, repo, ['defaults'])}: {rest}" if page and file_of(page, repo) else None


def unmerged(
    error: Exception, part: ResultDefault, page: DictConfig, before: DictConfig, repo: IConfigRepository
) -> str:
    """What of `part`, whose values are `page`, does not fit what was composed `before`."""
    cause = error.__context__
    key = str(getattr(cause, "full_key", None) or "")
    what = str(cause).splitlines()[0] if cause else str(error)
    if isinstance(cause, OmegaConfBaseException) and key and "not in" in what:
        what = f"Hydra reads no such key{or_such(nearest(key, names_in(before, repo)))}"
    elif conflict := next(_conflicts(before, page), None):
        key, what = conflict
    where = place(str(part.config_path), repo, key.split("."), package_of(part))
    return f"{where}: {key}: {what}" if key else f"{where}: {what}"


def package_of(part: ResultDefault) -> list[str]:
    return part.package.split(".") if part.package else []


def _conflicts(before: Node, page: Node, key: str = "") -> Iterator[tuple[str, str]]:
    """Where one has a list and the other a mapping."""
    if isinstance(before, DictConfig) and isinstance(page, ListConfig):
        keys = [f"{name!s}: ..." for name in before] if not before._is_none() else []
        yield key, f"must be keys and values{f', such as {keys[0]}' if keys else ''}, not a list"
    elif isinstance(before, ListConfig) and isinstance(page, DictConfig):
        yield key, "must be a list, such as [a,b], not keys and values"
    elif isinstance(before, DictConfig) and isinstance(page, DictConfig):
        for name in page if not (page._is_none() or page._is_interpolation() or page._is_missing()) else ():
            inner = f"{key}.{name!s}".lstrip(".")
            there, new = node_at(before, str(name)), node_at(page, str(name))
            if there is not None and new is not None:
                yield from _conflicts(there, new, inner)


def flattened(parts: Sequence[ResultDefault], config: DictConfig, primary: DictConfig, repo: IConfigRepository) -> str:
    """Where a page sets a text or a number in the place of a group or a mapping of `primary`; nothing where none does.

    Looked for in every config: all that is said of keys would be untrue.
    """
    groups = {str(part.package): part for part in parts if part.package and "." not in part.package}
    mappings = [str(key) for key in primary if isinstance(primary._get_node(key), DictConfig)]
    for key in (*groups, *mappings):
        node = config._get_node(key)
        if not isinstance(node, Node) or (isinstance(node, DictConfig | ListConfig) and not node._is_none()):
            continue
        value = node._value()
        if (value is None and (key in groups or key not in READ)) or node._is_interpolation() or node._is_missing():
            continue
        shown_value = "null" if value is None else str(value)
        what = _unflattened(key, shown_value, groups, primary, repo)
        return f"{_setter(key, parts, repo)}: {key}={shown_value}: {what}"
    return ""


def left_over(group: str, config: DictConfig, parts: Sequence[ResultDefault], repo: IConfigRepository) -> str:
    """Who sets keys of a group that a word leaves out, and that then have no class; nothing where nobody does."""
    node = node_at(config, group.replace("/", "."))
    if not isinstance(node, DictConfig) or node._is_none() or "_target_" in node or not len(node):
        return ""
    keys = ", ".join(f"{group}.{name!s}" for name in node)
    return f"{_setter(group, parts, repo)} sets {keys} all the same, of no class then"


def _setter(key: str, parts: Sequence[ResultDefault], repo: IConfigRepository) -> str:
    """Where the last page that says something of a key says it."""
    for part in reversed(parts):
        loaded = repo.load_config(str(part.config_path))
        if loaded and not package_of(part) and isinstance(loaded.config, DictConfig) and key in loaded.config:
            return place(str(part.config_path), repo, [key])
    return next((place(str(part.config_path), repo, []) for part in parts if part.package == key), "")


def _unflattened(
    key: str, value: str, groups: dict[str, ResultDefault], primary: DictConfig, repo: IConfigRepository
) -> str:
    if re.match(r"\w+:\S", value):
        return "YAML wants a space after a colon"
    if key in groups and repo.group_exists(key):
        if repo.config_exists(f"{key}/{value}"):
            return f"an option is chosen in the defaults list: `override /{key}: {value}`"
        return "must be keys and values, such as {a: 1}"
    return f"must be one of its keys: {', '.join(f'{key}.{name!s}' for name in primary[key])}"
