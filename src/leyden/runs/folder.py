"""The run folder: its files, their names, and how they are written."""

import fcntl
import json
import logging
import math
import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from leyden.errors import UserError
from leyden.files import PARTIAL, write_whole
from leyden.runs.processes import is_first_process
from leyden.runs.safe_yaml import flat, load_yaml

log = logging.getLogger(__name__)

FORMAT = 1  # of the run folder; a folder of another format is named, not guessed at
CLAIMED: set[Path] = set()  # the folders that this process has made


class RunFolder:
    """The folder that one training leaves behind. `open` it again with `RunFolder.open`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        self.figures = self.path / "figures"
        self.log = self.path / "train.log"

    def __str__(self) -> str:
        """The path as one would type it here."""
        return os.path.relpath(self.path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "RunFolder":
        """Raises UserError for a folder that no training has left."""
        run = cls(path)
        if not str(path):
            raise UserError("no run folder is named; one looks like logs/xor/2026-11-21_19-03-00")
        if run.path.is_file():
            raise UserError(
                f"{path} is a file: name the run folder that it is in (evaluate, predict and export take the file as "
                f"checkpoint={path})"
            )
        if not run.path.is_dir():
            raise UserError(f"{path}: there is no such folder; a run folder looks like logs/xor/2026-11-21_19-03-00")
        if (run.path / "multirun.yaml").is_file():
            raise UserError(f"{path} is a sweep: name one of its runs, such as {run.path / '0'}")
        if not (run.path / "config.yaml").is_file():
            raise UserError(f"{path} is not a run folder: it holds no config.yaml")
        return run

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training in this folder, and clear away what one that was killed left half-written.

        Of several processes that train together the first has the lock. Raises UserError where another one has it.
        """
        if not is_first_process():
            yield
            return
        with self.log.open("a") as file:  # the one file that is never written anew
            until = time.monotonic() + 1  # who only looks has it for an instant
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() > until:
                        message = f"{self} is being trained by another process: one folder, one training"
                        raise UserError(message) from error
                    time.sleep(0.05)
            for folder in (self.path, self.checkpoints, self.figures, *self.figures.glob("*/"), self.path / ".hydra"):
                for partial in folder.glob(PARTIAL):
                    partial.unlink(missing_ok=True)
            yield

    def is_locked(self) -> bool:
        """Whether a process of this machine trains in this folder now."""
        try:
            with self.log.open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def unresolved_config(self) -> DictConfig:
        """The config with its interpolations, so that what refers to a key follows it.

        Resolved, with the run's own folder where it is now, where config.yaml was edited since it was composed, or
        where that was not kept, or holds interpolations that mean nothing any more.
        """
        config = self.config()
        there_was = OmegaConf.select(config, "paths.run_dir")
        try:
            composed = load_yaml(self.path / ".hydra" / "config.yaml")
            there = OmegaConf.merge(composed, {"paths": config.get("paths")})  # wherever that was
            if OmegaConf.to_container(there, resolve=True) == OmegaConf.to_container(config):
                return composed  # type: ignore[no-any-return]
        except (UserError, OSError, OmegaConfBaseException) as error:
            log.warning(f"{self}: read from config.yaml alone ({error})")
        for key, value in flat(OmegaConf.to_container(config)).items():
            if isinstance(value, str) and there_was and Path(value).is_relative_to(there_was):
                OmegaConf.update(config, key, str(self.path.resolve() / Path(value).relative_to(there_was)))
        return config

    def write(self, name: str, text: str) -> None:
        """Write a file of the folder whole: readers see the old content or the new, never a part."""
        write_whole(self.path / name, text.encode())

    def write_config(self, config: DictConfig) -> None:
        """Keep the config with every interpolation resolved."""
        resolved: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
        self.write("config.yaml", OmegaConf.to_yaml(OmegaConf.create({"format": FORMAT} | resolved)))

    def config(self) -> DictConfig:
        """The resolved config. Raises UserError where the file is damaged."""
        file = self.path / "config.yaml"
        config: DictConfig = load_yaml(file)
        _check_format(file, config.pop("format", None))
        return config

    def overrides(self, without: Collection[str] = ()) -> list[str]:
        """The words of the command that made the run, but for those that set one of the keys or groups `without`."""
        file = self.path / ".hydra" / "overrides.yaml"
        if not file.is_file():
            raise UserError(f"{self} holds no .hydra/overrides.yaml: it is not known how it was composed")
        words: list[str] = OmegaConf.to_container(load_yaml(file, ListConfig))  # type: ignore[assignment]
        keys = [(word, word.lstrip("+~").split("=")[0]) for word in words]
        return [word for word, key in keys if not any(key == other or key.startswith(f"{other}.") for other in without)]

    def keep_overrides(self, config: str, words: Sequence[str]) -> None:
        """Let Hydra's record of the run, its unresolved `config` and its words, say that `words` came on top."""
        if not (self.path / ".hydra" / "overrides.yaml").is_file():
            return
        keys = [word.split("=")[0] for word in words]
        kept = [*self.overrides(without=keys), *words]
        self.write(".hydra/config.yaml", config)
        self.write(".hydra/overrides.yaml", OmegaConf.to_yaml(OmegaConf.create(kept)))

    def write_result(self, result: Mapping[str, Any]) -> None:
        self.write_json("result.json", result)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """A number that is not finite is written as null: JSON has no other word for it."""
        self.write(name, json.dumps(_finite(content), indent=2, allow_nan=False) + "\n")

    def result(self) -> dict[str, Any]:
        """Raises UserError where there is none, or where it is damaged."""
        file = self.path / "result.json"
        try:
            result: dict[str, Any] = json.loads(file.read_text())
        except FileNotFoundError as error:
            raise UserError(f"{self.path} holds no result.json: its training never began") from error
        except (ValueError, RecursionError) as error:
            raise UserError(f"{file} is damaged: {error}") from error
        _check_format(file, result.get("format") if isinstance(result, dict) else None)
        return result

    def write_provenance(self, facts: Mapping[str, Any]) -> None:
        """Add what is newly known to what the run was made of."""
        self.write_json("provenance.json", self.provenance() | dict(facts))

    def provenance(self) -> dict[str, Any]:
        """What the run was made of; nothing where that was not kept, or is damaged."""
        file = self.path / "provenance.json"
        try:
            facts = json.loads(file.read_text())
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError) as error:
            log.warning(f"{file} is damaged, and is not looked at: {error}")
            return {}
        return facts if isinstance(facts, dict) else {}

    def checkpoint_file(self, name: str | None = None) -> Path:
        """The checkpoint `best`, `last` or at a path; with no name the best, or the last where none was validated.

        Raises UserError for a `best` or `last` that is not there.
        """
        if name is not None and name not in ("best", "last"):
            return Path(name)
        files = [self.checkpoints / f"{word}.ckpt" for word in ([name] if name else ["best", "last"])]
        for file in files:
            if file.is_file():
                return file
        there = ", ".join(sorted(path.name for path in self.checkpoints.glob("*.ckpt"))) or "none"
        raise UserError(f"{self} has no checkpoint {files[0].name}; there is: {there}")

    def discard_if_not_begun(self) -> None:
        """Remove the folder of a training that failed before its first step, or of a sweep that failed before its first
        job, and the experiment's if that is empty.

        Only a folder that this process has made, and trained in alone, is ever removed.
        """
        if self.path.absolute() not in CLAIMED or self._has_begun():
            return
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):  # other runs are in it
            self.path.parent.rmdir()

    def _has_begun(self) -> bool:
        if (self.path / "multirun.yaml").is_file():
            return any(path.name.isdigit() for path in self.path.iterdir())
        if not (self.path / "config.yaml").is_file():
            return False
        result, replayable = self.result(), (self.path / "nonfinite.ckpt").is_file()
        return result["status"] != "failed" or result["steps"] > 0 or replayable


def claim(path: Path) -> Path:
    """Make the folder and no other's: where it is taken, the first free of `path`-2, `path`-3 ..."""
    path, number = path.absolute(), 1  # `.` has no name that a number could be put behind
    tries = 0
    while True:
        claimed = path if number == 1 else path.with_name(f"{path.name}-{number}")
        claimed.parent.mkdir(parents=True, exist_ok=True)
        try:
            claimed.mkdir()
        except FileExistsError:
            number += 1
        except FileNotFoundError:  # a neighbour that failed has just removed the parent
            tries += 1
            if tries == 100:  # nobody has: in /proc, say, there can be no such folder
                raise
        else:
            CLAIMED.add(claimed)
            return claimed


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _check_format(file: Path, found: Any) -> None:
    if found != FORMAT:
        raise UserError(f"{file} has the format {found}: this version of leyden reads format {FORMAT}")
