"""Writes docs/reference/, for `make docs`: what configs/, the verbs, the classes and the README say of themselves."""

import itertools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import griffe

from leyden.arguments import Signature
from leyden.cli import VERBS

PROJECT = Path(__file__).parents[1]
CONFIGS = PROJECT / "configs"
REFERENCE = PROJECT / "docs" / "reference"
PACKAGES = {name: griffe.load(name, search_paths=[PROJECT / "src"]) for name in ("leyden", "lab")}


def main() -> None:
    shutil.rmtree(REFERENCE, ignore_errors=True)
    REFERENCE.mkdir()
    pages = {
        "configs": configs(),
        "verbs": verbs(),
        "run_folder": f"# A run folder\n\n{of_readme('What a run leaves')}",
        "training": classes("leyden.training", "What Lightning runs. None of it needs Hydra or a run folder."),
        "lab": classes("lab", "The science that comes with the template, made to be replaced."),
        "engine": engine(),
    }
    for name, text in pages.items():
        (REFERENCE / f"{name}.md").write_text(text)


def of_readme(title: str) -> str:
    """A section of the README, with its links as they are from here, and pages by their titles."""
    text = (PROJECT / "README.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    for page in re.findall(r"\[(docs/\S+\.md)\]\(", text):
        text = text.replace(f"[{page}](", f"[{title_of(PROJECT / page)}](")
    return text.strip().replace("](docs/", "](../") + "\n"


def title_of(page: Path) -> str:
    return page.read_text().partition("\n")[0].removeprefix("# ")


def configs() -> str:
    """Every group and option: what it is for, its keys and their defaults, as the files say it."""
    parts = [
        "# Configs\n\nAll files of `configs/`, as they are.",
        of_readme("What there is to choose from"),
        f"## `configs/train.yaml` {{#train}}\n\n{yaml_file(CONFIGS / 'train.yaml')}",
    ]
    for group in sorted({file.parent for file in CONFIGS.rglob("*.yaml")} - {CONFIGS, CONFIGS / "local"}):
        name = str(group.relative_to(CONFIGS))
        parts.append(f"## `{name}` {{#{name.replace('/', '-')}}}")
        parts += [option(name, file) for file in sorted(group.glob("*.yaml"))]
    return "\n\n".join(parts) + "\n"


def option(group: str, file: Path) -> str:
    anchor = f"{group}-{file.stem}".replace("/", "-")
    built = re.findall(r"^ *_target_: ((?:lab|leyden)\.\S+)$", file.read_text(), re.MULTILINE)
    links = [f"[`{target}`]({link_to(target)})" for target in dict.fromkeys(built)]
    made = f"\n\nMakes {', '.join(links)}." if links else ""
    return f"### `{group}={file.stem}` {{#{anchor}}}\n\n{yaml_file(file)}{made}"


def yaml_file(file: Path) -> str:
    """The comment that a file begins with as a sentence, and the lines below it."""
    text = file.read_text().removeprefix("# @package _global_\n")
    comment = "".join(itertools.takewhile(re.compile("# ").match, text.splitlines(keepends=True)))
    said = " ".join(line.removeprefix("# ") for line in comment.splitlines())
    return f"{said}\n\n```yaml\n{text.removeprefix(comment).strip()}\n```".strip()


def link_to(target: str) -> str:
    """The place on these pages of what a `_target_` names."""
    package, _, path = target.partition(".")
    found = PACKAGES[package][path].canonical_path
    page = "lab" if package == "lab" else "training" if found.startswith("leyden.training") else "engine"
    return f"{page}.md#{found}"


def verbs() -> str:
    """What `leyden VERB --help` says."""
    parts = ["# Verbs\n\nWhat `leyden VERB --help` says: it is read from the signature of the verb's function."]
    for verb in VERBS:
        summary = Signature.of(verb).documentation.splitlines()[0]
        shown = summary if verb == "train" else f"```text\n{Signature.of(verb).help().rstrip()}\n```"
        parts.append(f"## `leyden {verb}` {{#{verb}}}\n\n{shown}")
    return "\n\n".join(parts) + "\n"


def classes(package: str, summary: str) -> str:
    """Every public class and function of a package, with its signature and its docstring."""
    parts = [f"# {package}\n\n{summary}"]
    for module in modules(package):
        members = [entry(member) for member in public(module)]
        if members:
            parts += [section(module, package), *members]
    return "\n\n".join(parts) + "\n"


def section(module: griffe.Module, package: str) -> str:
    """The head of a module's part of a page, by the name that it has within the page's package."""
    return f"## {module.path.removeprefix(f'{package}.')} {{#{module.path}}}\n\n{documentation(module)}"


def entry(member: griffe.Class | griffe.Function, level: int = 3) -> str:
    """Name, signature and docstring, then those of a class's methods; the list of contents shows names alone."""
    kind = "class" if member.is_class else "def"
    head = f"{'#' * level} `{member.name}` {{#{member.path}}}"
    signature = f"```python\n{kind} {member.signature() or member.name}\n```"
    return "\n\n".join([head, signature, documentation(member), *(entry(each, level + 1) for each in public(member))])


def engine() -> str:
    """The classes and functions of the engine's other rooms, with the first sentence of each."""
    parts = ["# The engine\n\nUsed, not edited: where to look when you read it. ARCHITECTURE.md is its plan."]
    for module in modules("leyden"):
        members = list(public(module))
        if members and not module.path.startswith("leyden.training"):
            parts += [section(module, "leyden"), "\n".join(map(line, members))]
    return "\n\n".join(parts) + "\n"


def line(member: griffe.Class | griffe.Function) -> str:
    said = " ".join(documentation(member).split("\n\n")[0].split())
    return f'- <span id="{member.path}"></span>`{member.name}`' + (f": {said}" if said else "")


def modules(package: str) -> Iterator[griffe.Module]:
    """A package and all that is in it."""
    name, _, path = package.partition(".")
    module = PACKAGES[name][path] if path else PACKAGES[name]
    assert isinstance(module, griffe.Module)
    yield module
    for _, member in sorted(module.members.items()):
        if isinstance(member, griffe.Module):
            yield from modules(member.path)


def public(parent: griffe.Object) -> Iterator[griffe.Class | griffe.Function]:
    """What a module defines itself; of a class, the methods that have a docstring."""
    for name, member in parent.members.items():
        if name.startswith("_") or not isinstance(member, griffe.Class | griffe.Function):
            continue  # imported names are aliases
        if parent.is_module or (member.is_function and member.docstring):
            yield member


def documentation(member: griffe.Object) -> str:
    """The docstring; what looks like HTML in it is text."""
    parts = re.split(r"(`[^`]*`)", member.docstring.value if member.docstring else "")
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts)


if __name__ == "__main__":
    main()
