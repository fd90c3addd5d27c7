"""A sweep runs the code and the configs that there were when it began: they are kept in its folder."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from leyden.config.app import HOME
from leyden.config.targets import refuse_untrusted
from leyden.errors import UserError
from leyden.runs.folder import RunFolder
from leyden.runs.provenance import CODE, COPY, LOCK, code_checksum, provenance, uncommitted_changes
from leyden.runs.safe_yaml import load_yaml
from leyden.sweeps.jobs import OURS, key_of


def freeze(project: Path, sweep: RunFolder, words: Sequence[str]) -> None:
    """Keep in the folder of a sweep what all its jobs are made of."""
    copy = sweep.path / COPY
    copy.mkdir(parents=True)
    try:
        for path in (project / name for name in (*CODE, LOCK)):
            if path.is_dir():
                shutil.copytree(
                    path, copy / path.name, ignore=shutil.ignore_patterns("*.egg-info"), ignore_dangling_symlinks=True
                )
            elif path.is_file():
                shutil.copy2(path, copy)
    except shutil.Error as error:  # holds a reason for each file
        raise UserError(f"{copy}: {error.args[0][0][2]}") from error
    sweep.write_provenance(provenance(project, ["-m", *words], None))
    if patch := uncommitted_changes(project):
        sweep.write("uncommitted.patch", patch)


def run_frozen(project: Path, sweep: Path, words: Sequence[str] = ()) -> NoReturn:
    """Let the sweep's own code take over this process, and run what is missing."""
    copy = sweep.resolve() / COPY
    search = os.pathsep.join(filter(None, [str(copy / "src"), os.environ.get("PYTHONPATH")]))
    sys.stdout.flush()
    os.execve(
        sys.executable,
        [sys.executable, str(copy / "train.py"), f"sweep.resume={sweep}", *words],
        {**os.environ, "PYTHONPATH": search, HOME: str(project)},
    )


def tell_of_changes(project: Path, sweep: RunFolder) -> None:
    """Say so where the project's code is not any more what a sweep began with."""
    if sweep.provenance().get("code", {}).get("sha256") != code_checksum(project):
        print(f"the code has changed since {sweep} began: its jobs run as it was then, from {sweep.path / COPY}")


def resumed_words(folder: str, project: Path, words: Sequence[str]) -> list[str]:
    """The command that began a sweep, with `words` in place of those that set the same keys.

    Where its own code does not run yet, it takes over. Raises UserError for a folder that is no sweep.
    """
    sweep = Path(folder)
    if not (sweep / "multirun.yaml").is_file():
        raise UserError(f"sweep.resume={folder}: no sweep is there; it would hold a multirun.yaml")
    for word in words:
        if key_of(word).split(".")[0].split("/")[0] not in (*OURS, "hydra", "targets"):
            raise UserError(
                f"{word}: would make other jobs than those of {folder}, which needs a sweep of its own; sweep.*, "
                "launcher.*, hydra/launcher and hydra.launcher.* can be changed"
            )
    if project != sweep.resolve() / COPY:
        tell_of_changes(project, RunFolder(sweep))
        run_frozen(project, sweep, words)
    overrides = OmegaConf.to_container(load_yaml(sweep / "multirun.yaml").hydra.overrides)
    began: list[str] = [*overrides["task"], *overrides["hydra"]]  # type: ignore[call-overload,index]
    given = {key_of(word) for word in words} | {"hydra.mode", "hydra.sweep.dir"}
    kept = [word for word in began if key_of(word) not in given]
    if "sweep.space" in given:  # instead of what is searched by the words of the command
        parsed = OverridesParser.create().parse_overrides(kept)
        kept = [word for word, each in zip(kept, parsed, strict=True) if not each.is_sweep_override()]
    if "hydra/launcher" in given:  # another has other settings
        kept = [word for word in kept if not key_of(word).startswith("hydra.launcher.")]
    refuse_untrusted(kept, folder)
    quoted = folder.replace("'", "\\'")
    return ["-m", *kept, *words, f"sweep.resume='{quoted}'"]
