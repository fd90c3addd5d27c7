"""The files of configs/, and where in them a key stands: what cannot be read is told with file and line."""

from collections.abc import Sequence
from pathlib import Path

import yaml  # type: ignore[import-untyped]
from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra.plugins.config_source import ConfigResult
from omegaconf.errors import OmegaConfBaseException

from leyden.errors import UserError

HEADER = "# @package _global_"
BOM = "\ufeff"  # of some editors for Windows


class PageError(UserError):
    """What is wrong in a file of configs/."""


class Pages(ConfigRepository):
    """Hydra's source of config files. Raises PageError for one that cannot be read."""

    def load_config(self, config_path: str) -> ConfigResult | None:
        try:
            return super().load_config(config_path)
        except (yaml.YAMLError, OmegaConfBaseException, ValueError) as error:
            file = file_of(config_path, self)
            if file is None:
                raise
            raise PageError(_unreadable(file, error, shown(file, folder_of(self)))) from error


def folder_of(repo: IConfigRepository) -> Path:
    """The project's configs/."""
    return next((Path(source.path) for source in repo.get_sources() if source.provider == "main"), Path())


def file_of(page: str, repo: IConfigRepository) -> Path | None:
    """The file of `experiment/xor`; None where it is not one of the project's."""
    file = folder_of(repo) / f"{page.removesuffix('.yaml')}.yaml"
    return file if file.is_file() else None


def shown(file: Path, configs: Path) -> str:
    """As one would name it in the project."""
    inside = file.is_relative_to(configs.parent)
    return str(file.relative_to(configs.parent) if inside else file)


def place(page: str, repo: IConfigRepository, names: Sequence[str], package: Sequence[str] = ()) -> str:
    """`configs/experiment/xor.yaml:4`, where the page says something of a key, or else begins."""
    file = file_of(page, repo)
    if file is None:
        return page
    return f"{shown(file, folder_of(repo))}:{line_of(node_in(file, names, package) if names else None)}"


def line_of(node: yaml.Node | None) -> int:
    """From 1 on, which is that of a whole file, too."""
    return int(node.start_mark.line) + 1 if node else 1


def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def node_in(file: Path, names: Sequence[str], package: Sequence[str] = ()) -> yaml.Node | None:
    """What a file, whose keys are below `package`, says of a key; None where it says nothing."""
    if list(names[: len(package)]) != list(package):
        return None
    node: yaml.Node | None = yaml.compose(text_of(file), Loader=yaml.SafeLoader)
    for name in names[len(package) :]:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == name), None)
        elif isinstance(node, yaml.SequenceNode) and name.isdigit() and int(name) < len(node.value):
            node = node.value[int(name)]
        else:
            return None
    return node


def _unreadable(file: Path, error: Exception, name: str) -> str:
    """What is wrong with it, in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        line, what = _misspelt(file, error)
        return f"{name}:{line}: {what}"
    try:
        file.read_bytes().decode()
    except UnicodeDecodeError as wrong:
        line = wrong.object[: wrong.start].count(b"\n") + 1
        return f"{name}:{line}: is not UTF-8 (the byte 0x{wrong.object[wrong.start]:02x}): save it as UTF-8"
    if isinstance(error, yaml.reader.ReaderError):
        line = text_of(file)[: error.position].count("\n") + 1
        return f"{name}:{line}: {error.reason} (#x{error.character:04x})"
    if key := getattr(error, "full_key", None):
        return _misread(file, key, error, name)
    what = str(error).splitlines()[0]
    if "header" in what or "components" in what:
        return f"{name}:1: the first line must be `{HEADER}`"
    line = line_of(node_in(file, ["defaults"]))
    if what.startswith("Invalid defaults list"):
        return f"{name}:{line}: defaults must be a list, of lines such as `- override /model: simple_net`"
    return f"{name}:{line}: {what.partition(': ')[2] if what.startswith('In ') else what}"


def _misread(file: Path, key: str, error: Exception, name: str) -> str:
    """A value that OmegaConf makes no sense of: an interpolation that is badly written."""
    node = node_in(file, key.split("."))
    text = str(node.value) if node else ""
    what = "} is missing at its end" if text.count("{") > text.count("}") else str(error).splitlines()[0]
    return f"{name}:{line_of(node)}: {key}={text}: {what}"


def _misspelt(file: Path, error: yaml.MarkedYAMLError) -> tuple[int, str]:
    line, problem = error.problem_mark.line + 1, str(error.problem)
    if r"'\t'" in problem:
        return line, "a tab where YAML wants spaces"
    if problem.startswith("found duplicate key "):
        name = problem.removeprefix("found duplicate key ")
        first = _first(yaml.compose(text_of(file), Loader=yaml.SafeLoader), name, error.context_mark.index)
        return line, f"'{name}' is there twice (line {first})"
    if error.context == "while scanning a quoted scalar":
        return error.context_mark.line + 1, "a quote is not closed"
    if not error.context or not error.context_mark:
        return line, problem
    return line, f"{problem} ({error.context} that begins in line {error.context_mark.line + 1})"


def _first(node: yaml.Node, name: str, start: int) -> int:
    """The line of the first key of that name in the mapping that begins at `start`."""
    if isinstance(node, yaml.MappingNode) and node.start_mark.index == start:
        return next(line_of(key) for key, _ in node.value if key.value == name)
    pairs = node.value if isinstance(node.value, list) else []
    inner = [value for pair in pairs for value in (pair if isinstance(pair, tuple) else (pair,))]
    return next((line for each in inner if (line := _first(each, name, start))), 0)
