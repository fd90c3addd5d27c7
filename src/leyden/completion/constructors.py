"""The arguments of what a `_target_` names, as its source says them: at TAB there is no time to import it."""

import ast
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import resolve_name
from pathlib import Path

HOPS = 8  # from module to module, and from class to base


def arguments_of(target: str) -> list[str]:
    """Those that are given by name; none where they cannot be read off."""
    module, _, name = target.rpartition(".")
    for _ in range(HOPS):
        spec = _spec(module)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            return []
        tree = ast.parse(Path(spec.origin).read_text())
        named = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        found = named.get(name)
        if isinstance(found, ast.FunctionDef):
            return _names(found)
        if found is not None:
            made = [each for each in found.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
            if made:
                return _names(made[0])[1:]
            base = next((each.id for each in found.bases if isinstance(each, ast.Name)), "")
            is_here, name = base in named and base != name, base
            if is_here:
                continue
        module, name = _imported(name, tree, spec)
    return []


def _names(function: ast.FunctionDef) -> list[str]:
    return [each.arg for each in (*function.args.args, *function.args.kwonlyargs)]


def _imported(name: str, tree: ast.Module, spec: ModuleSpec) -> tuple[str, str]:
    """The module that `name` comes from, and what it is called there; both empty where it is not imported."""
    package = spec.name if spec.submodule_search_locations else spec.name.rpartition(".")[0]
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    for node in imports:
        for alias in node.names:
            if name == (alias.asname or alias.name):
                return resolve_name("." * node.level + (node.module or ""), package), alias.name
    return "", ""


def _spec(module: str) -> ModuleSpec | None:
    """Where a module is; `find_spec` of importlib would import the packages that it is in."""
    spec, path = None, None
    for number, _ in enumerate(parts := module.split("."), 1):
        spec = PathFinder.find_spec(".".join(parts[:number]), path)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    return spec
