"""The config that words compose, read from its pages in a twentieth of the time that Hydra takes.

Who completes a word, or asks what differs from the defaults, wants what the pages say: no interpolation is resolved, no
value converted, nothing refused, and a page that cannot be read is empty. Of Hydra's own pages only those in
configs/hydra/ are known.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml  # type: ignore[import-untyped]

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
HEADER = re.compile(r"\s*#\s*@package +(\S+)")
Part = tuple[str, dict[str, Any]]  # a package, and what a page puts there


class Composed(NamedTuple):
    """A config, its interpolations as they stand, and the groups whose options could be chosen."""

    config: dict[str, Any]
    groups: set[str]


def composed(configs: Path, words: Iterable[str], name: str = "train") -> Composed:
    """`train.yaml` as `words` choose: of several options (a sweep) all. `name` is that of another first page."""
    pages = _Pages(configs, words)
    parts = pages.read(name, "")
    for key in [key for key in pages.choices if key not in pages.used]:  # added with a plus, or one of Hydra's
        parts += pages.chosen(_Item.of({f"/{key}": None}, ""), "")
    config: dict[str, Any] = {}
    for package, page in parts:
        for name in reversed(package.split(".") if package else []):
            page = {name: page}
        _merge(config, page)
    return Composed(config, pages.used | {f"hydra/{folder.name}" for folder in configs.glob("hydra/*/")})


def default_choices(configs: Path, name: str = "train") -> dict[str, list[str]]:
    """The options that `train.yaml` itself chooses in each group; none where it leaves the choice open."""
    listed = (load(configs / f"{name}.yaml") or {}).get("defaults") or []
    items = (_Item.of(item, "") for item in listed if item != "_self_")
    return {item.key: item.options for item in items if item.key is not None}


def load(file: Path) -> Any:
    """The content of a YAML file; None where it cannot be read."""
    try:
        return yaml.load(file.read_text(), LOADER)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None


def options(text: str | list[Any] | None) -> list[str]:
    """What `a`, `a,b`, `[a,b]` or a list of YAML's choose."""
    names = text if isinstance(text, list) else str(text or "").strip("[]'\"").split(",")
    return [str(name) for name in names if name and name != "null"]


class _Item(NamedTuple):
    """An item of a defaults list. `key` is what it is chosen by, `package` where it goes, `fixed` whatever it says."""

    key: str | None
    group: str
    package: str
    fixed: bool
    options: list[str]
    overrides: bool

    @classmethod
    def of(cls, item: Any, group: str) -> "_Item":
        if isinstance(item, dict):
            words, option = next(iter(item.items()))
        else:
            path, at, package = str(item).partition("@")
            folder, slash, option = path.rpartition("/")
            words = f"{folder or slash}{at}{package}"
        name, at, package = str(words).split()[-1].partition("@") if words else ("", "", "")
        where = name[1:] if name.startswith("/") else "/".join(filter(None, (group, name)))
        key = f"{where}{at}{package}" if isinstance(item, dict) else None
        in_package = package if at else name.strip("/").replace("/", ".")
        return cls(key, where, in_package, bool(at), options(option), str(words).startswith("override "))


class _Pages:
    """Reads as Hydra does: the last of a defaults list first, so that the others know what its pages override."""

    def __init__(self, configs: Path, words: Iterable[str]) -> None:
        self.configs = configs
        pairs = [word.lstrip("+").partition("=")[::2] for word in words]
        self.choices = {key: options(text) for key, text in pairs if (configs / key.partition("@")[0]).is_dir()}
        self.choices |= {key[1:]: [] for key, _ in pairs if key.startswith("~")}
        self.used = set[str]()

    def read(self, path: str, package: str, fixed: bool = False, above: Sequence[str] = ()) -> list[Part]:
        """A page and those that it names, in the order in which they are merged; nothing where it is one of `above`."""
        file = self.configs / f"{path}.yaml"
        page = load(file)
        if not isinstance(page, dict) or path in above:
            return []
        group = path.rpartition("/")[0]
        if not fixed and (header := HEADER.match(file.read_text())):
            package = _inside("", header[1])
        listed = page.pop("defaults", None) or []
        items = [None if item == "_self_" else _Item.of(item, group) for item in listed]
        for item in items:
            if item and item.overrides and item.key:
                self.choices.setdefault(item.key, item.options)
        parts: list[Part] = []
        for item in reversed(items if None in items else [*items, None]):
            if item is None:  # the page itself
                parts = [(package, page), *parts]
            elif not item.overrides:
                parts = self.chosen(item, package, (*above, path)) + parts
        return parts

    def chosen(self, item: _Item, parent: str, above: Sequence[str] = ()) -> list[Part]:
        """The pages that an item stands for, as it says itself or as was chosen."""
        names = item.options
        if item.key is not None:
            self.used.add(item.key)
            names = self.choices.get(item.key, names)
        package = _inside(parent, item.package)
        paths = ["/".join(filter(None, (item.group, name))) for name in names]
        return [part for path in paths for part in self.read(path, package, item.fixed, above)]


def _inside(parent: str, package: str) -> str:
    if package.startswith("_global_"):
        return package.removeprefix("_global_").strip(".")
    return ".".join(filter(None, (parent, package)))


def _merge(config: dict[str, Any], page: dict[str, Any]) -> None:
    for key, value in page.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            _merge(config[key], value)
        else:
            config[key] = value
