"""Where a key of a config was set: the file and its line, or the command line."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from leyden.config.pages import line_of, node_in, shown, text_of
from leyden.config.words import composing
from leyden.runs.folder import RunFolder

HERE = "on the command line"


@dataclass
class Origin:
    """Looks for keys of the config that `words` compose from `folders`, of which the first is the project's configs/.

    With a `file`, the config comes from there, changed by `words`.
    """

    words: Sequence[str]
    folders: Sequence[Path] = ()
    file: Path | None = None
    name: str = "train"

    @classmethod
    def of_this_job(cls) -> "Origin":
        """Of what Hydra runs now."""
        if not HydraConfig.initialized():
            return cls(())
        hydra = HydraConfig.get()
        folders = [Path(source.path) for source in hydra.runtime.config_sources if source.schema == "file"]
        return cls(list(hydra.overrides.task), folders, name=str(hydra.job.config_name))

    @classmethod
    def of_run(cls, run: RunFolder, words: Sequence[str]) -> "Origin":
        """Of a run that goes on, with `words` on top."""
        return cls(words, file=run.path / "config.yaml")

    def of(self, key: str) -> str:
        """`configs/model/simple_net.yaml:2`, `on the command line`, or nothing where it is not found."""
        text, where = self.written(key)
        refers = re.fullmatch(r"\$\{([\w.]+)\}", text)
        if refers and refers[1] != key and where != HERE:
            return ", ".join(filter(None, (refers[1], self.of(refers[1]))))
        return where

    def written(self, key: str) -> tuple[str, str]:
        """What a key was set to, if that is a text in itself, and where; both empty where it is not found."""
        names = re.findall(r"[^.\[\]]+", key)
        for word in reversed(self.words):
            set_here, _, text = word.lstrip("+").partition("=")
            chosen = self._is_group(set_here) and not text.startswith("{")
            if (key == set_here or key.startswith((f"{set_here}.", f"{set_here}["))) and not chosen:
                return text if key == set_here else "", HERE
        for file, package in self._files:
            node = node_in(file, names, package.split(".") if package else [])
            if node is not None:
                name = shown(file, self.folders[0]) if self.folders else file
                return str(node.value) if isinstance(node.value, str) else "", f"{name}:{line_of(node)}"
        return "", ""

    def page_below(self, key: str) -> Path | None:
        """The file whose keys are all below `key`; None where there is none."""
        return next((file for file, package in self._files if package == key), None)

    @property
    def text(self) -> str:
        """All that could be composed: the words, and every file of the folders, chosen or not."""
        files = (file for folder in self.folders for file in sorted(folder.rglob("*.yaml")))
        return "\n".join([*self.words, *map(text_of, files)])

    def _is_group(self, key: str) -> bool:
        return any((folder / key).is_dir() for folder in self.folders)

    @cached_property
    def _files(self) -> list[tuple[Path, str]]:
        """The files that the config was composed of, and the keys that they are below, the decisive first."""
        if self.file is not None:
            return [(self.file, "")] if self.file.is_file() else []
        if not self.folders:
            return []
        if GlobalHydra.instance().is_initialized():
            return self._composed()
        with composing(self.folders[0]):
            return self._composed()

    def _composed(self) -> list[tuple[Path, str]]:
        loader = GlobalHydra.instance().config_loader()
        found = []
        for part in loader.compute_defaults_list(self.name, list(self.words), RunMode.RUN).defaults:
            files = [folder / f"{part.config_path}.yaml" for folder in self.folders]
            found += [(file, part.package or "") for file in files if file.is_file()][:1]
        return found[::-1]
