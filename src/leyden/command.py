"""The command `train`: what its words ask for, and who answers. What that needs is imported when it is, not before."""

import importlib
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from leyden.errors import UserError
from leyden.imports import imports_at_once
from leyden.signals import deaf, told_to_stop

if TYPE_CHECKING:
    from omegaconf import DictConfig

MULTIRUN = ("-m", "--multirun", "hydra.mode=MULTIRUN")
PLUGINS = str(Path(__file__).parent / "sweeps" / "plugins")  # where Hydra finds those in configs/hydra/
OTHER_CONFIGS = ("--config-", "-cn", "-cd", "-cp")
OF_SWEEPS = re.compile(r"\+*(sweep|launcher|hydra[./](launcher|sweeper))[=.]")


def train(words: Sequence[str], project: Path | None) -> None:
    """Train as `words` say, and answer where the process is told to stop before there is a training that could be.

    `project` is the folder of the train.py that was called; None: the one that the working directory is in. Raises
    UserError, with the command that was probably meant where words are wrong.
    """
    from leyden.runs.record import answer_before_it_began

    def leave(number: int) -> None:
        with deaf():
            answer_before_it_began(number, words)
        os._exit(128 + number)  # what an exception does to C code that is importing itself is not known

    with told_to_stop(leave):
        from leyden.config.mistakes import WordsError
        from leyden.project import project_folder

        folder = (project or project_folder(Path.cwd())).resolve()
        try:
            _train_or_go_on(words, folder)
        except WordsError as error:
            from leyden.config.words import all_wrong
            from leyden.sweeps.jobs import as_hydra_spells

            def accepted(meant: Sequence[str]) -> bool:
                try:
                    return all_wrong(list(map(as_hydra_spells, meant)), folder / "configs") is None
                except UserError:
                    return False

            program = "leyden train" if project is None else "python train.py"
            error.propose(program, words, accepted, as_hydra_spells if _is_sweep(words) else str)
            raise


def _train_or_go_on(words: Sequence[str], project: Path) -> None:
    """`resume=`, `rerun=` and `join=` take their config from a run folder; all else is composed from configs/."""
    from leyden.config.app import run

    sys.argv = [str(project / "train.py"), *words]  # what Lightning may start further processes with
    given = dict(word.split("=", 1) for word in words if "=" in word)
    for verb in ("resume", "join"):
        if verb in given:
            _go_on(verb, given[verb], words)
            return
    if "sweep.resume" in given:
        from leyden.sweeps.frozen import resumed_words

        others = [word for word in _without("sweep.resume", words) if word not in MULTIRUN]
        words = resumed_words(given["sweep.resume"], project, others)
    if _is_sweep(words):
        words = _words_of_sweep(words)
    else:
        _refuse_words_of_sweeps(words, project)
    if "rerun" in given:
        from leyden.verbs.rerun import rerun_overrides

        words = rerun_overrides(given["rerun"], _without("rerun", words))
    run(train_task, words, project)


def _go_on(verb: str, folder: str, words: Sequence[str]) -> None:
    if _is_sweep(words):
        raise UserError(f"{verb}= goes on with one run: leave -m out (sweep.resume=SWEEP goes on with a sweep)")
    if any(word.startswith("rerun=") for word in words):
        raise UserError(f"{verb}= goes on with a run, rerun= runs it again in a new folder: leave one of them out")
    with imports_at_once():
        module = importlib.import_module("leyden.verbs.resume")
    getattr(module, verb)(folder, _without(verb, words))


def _words_of_sweep(words: Sequence[str]) -> list[str]:
    """The words of a sweep, as Hydra is to get them."""
    from leyden.sweeps.jobs import as_hydra_spells

    sys.path.append(PLUGINS)
    if {"--help", "-h"} & set(words):
        return ["--help"]  # of lists of values Hydra would say that they are ambiguous
    if flags := [word for word in words if word.startswith(OTHER_CONFIGS)]:
        raise UserError(f"{flags[0]}: a sweep runs configs/train.yaml of its project, and no other config")
    return [as_hydra_spells(word) for word in words]


def _refuse_words_of_sweeps(words: Sequence[str], project: Path) -> None:
    """Raises WordsError where a single run is told how a sweep is run, with all else that is wrong with the words."""
    alone = [word for word in words if OF_SWEEPS.match(word)]
    if not alone or any(word.startswith("-") for word in words):
        return
    from leyden.config.mistakes import Mistake, WordsError
    from leyden.config.words import all_wrong
    from leyden.sweeps.jobs import as_hydra_spells

    sys.path.append(PLUGINS)
    told = [Mistake((word,), f"{word}: says how a sweep is run, and -m runs one", ("-m", word)) for word in alone]
    wrong = all_wrong([as_hydra_spells(word) for word in ["-m", *words]], project / "configs")
    found = wrong.mistakes if wrong else []
    raise WordsError([*told, *(replace(each, instead=each.instead and ("-m", *each.instead)) for each in found)])


def _is_sweep(words: Sequence[str]) -> bool:
    return any(word in MULTIRUN for word in words)


def _without(key: str, words: Sequence[str]) -> list[str]:
    return [word for word in words if not word.startswith(f"{key}=")]


def train_task(config: "DictConfig") -> float | None:
    """One training, as Hydra calls it: once, or for each job of a sweep."""
    from hydra.core.hydra_config import HydraConfig

    from leyden.runs.folder import CLAIMED, RunFolder
    from leyden.runs.record import in_sweep
    from leyden.runs.slurm import folder_of_requeued_job

    run = RunFolder(config.paths.run_dir)
    try:
        with imports_at_once():
            from leyden.verbs.resume import resume
            from leyden.verbs.train import train

        before = folder_of_requeued_job(Path(config.paths.log_dir), list(HydraConfig.get().overrides.task))
        if before is None and run.path.absolute() not in CLAIMED and (run.path / "config.yaml").is_file():
            before = run.path  # of a sweep that goes on
        return train(config) if before is None else resume(str(before), [], config.targets)
    except Exception as error:
        if in_sweep():
            raise  # the other jobs go on
        run.discard_if_not_begun()
        from leyden.config.explain import fail
        from leyden.faults import folded, whole

        fail(error, whole if config.get("full_traceback") else folded)
