"""The command line: which verb, with which arguments. What a verb needs is imported when it is called, not before."""

import importlib
import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from leyden.arguments import Signature
from leyden.errors import UserError
from leyden.signals import deaf, told_to_stop

if TYPE_CHECKING:
    from omegaconf import DictConfig

VERBS = ("train", "evaluate", "predict", "figures", "export", "runs", "report", "diff", "replay", "check", "completion")
COMPLETE = "_complete"  # an inner word: what the scripts of `leyden completion` ask
MULTIRUN = ("-m", "--multirun", "hydra.mode=MULTIRUN")
PLUGINS = str(Path(__file__).parent / "sweeps" / "plugins")  # where Hydra finds those in configs/hydra/
OTHER_CONFIGS = ("--config-", "-cn", "-cd", "-cp")
OF_SWEEPS = re.compile(r"\+*(sweep|launcher|hydra[./](launcher|sweeper))[=.]")


def main(arguments: Sequence[str] | None = None, project: Path | None = None) -> None:
    """Run a verb. Exits with status 1, and a line on standard error for each mistake that the user can put right."""
    verb, *words = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that knows ASCII alone stops no training
    try:
        if verb == COMPLETE:
            from leyden.completion.words import completions

            sys.stdout.writelines(f"{word}\n" for word in completions(" ".join(words), VERBS))
        elif verb in ("-h", "--help"):
            print(_overview())
        elif verb not in VERBS:
            from leyden.nearest import did_you_mean

            raise UserError(f"leyden has no verb {verb!r}{did_you_mean(verb, VERBS)} (there are: {', '.join(VERBS)})")
        elif verb == "train":
            _train(words, project)
        elif set(words) & {"-h", "--help"}:
            print(Signature.of(verb).help())
        else:
            positional, keywords = Signature.of(verb).bind(words)
            try:
                getattr(importlib.import_module(f"leyden.verbs.{verb}"), verb)(*positional, **keywords)
                sys.stdout.flush()
            except BrokenPipeError:  # whoever reads what is printed has read enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        _fail(error)
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell counts


def _train(words: Sequence[str], project: Path | None) -> None:
    """Train, and answer where the process is told to stop before there is a training that could be."""
    from leyden.runs.record import answer_before_it_began

    given = dict(word.split("=", 1) for word in words if "=" in word)

    def leave(number: int) -> None:
        with deaf():
            answer_before_it_began(number, words)
        os._exit(128 + number)  # what an exception does to C code that is importing itself is not known

    with told_to_stop(leave):
        from leyden.config.mistakes import WordsError
        from leyden.project import project_folder

        folder = (project or project_folder(Path.cwd())).resolve()
        try:
            _train_or_go_on(words, given, folder)
        except WordsError as error:
            from leyden.config.words import all_wrong
            from leyden.sweeps.jobs import as_hydra_spells

            def accepted(meant: Sequence[str]) -> bool:
                try:
                    return all_wrong(list(map(as_hydra_spells, meant)), folder / "configs") is None
                except UserError:
                    return False

            spelt = as_hydra_spells if any(word in MULTIRUN for word in words) else str
            program = "leyden train" if project is None else "python train.py"
            error.propose(program, words, accepted, spelt)
            raise


def _train_or_go_on(words: Sequence[str], given: Mapping[str, str], project: Path) -> None:
    """`resume=`, `rerun=` and `join=` take their config from a run folder; all else is composed from configs/."""
    from leyden.config.app import run

    sys.argv = [str(project / "train.py"), *words]  # what Lightning may start further processes with
    for verb in ("resume", "join"):
        if verb in given:
            if any(word in MULTIRUN for word in words):
                raise UserError(f"{verb}= goes on with one run: leave -m out (sweep.resume=SWEEP goes on with a sweep)")
            if "rerun" in given:
                raise UserError(
                    f"{verb}= goes on with a run, rerun= runs it again in a new folder: leave one of them out"
                )
            others = [word for word in words if not word.startswith(f"{verb}=")]
            getattr(importlib.import_module("leyden.verbs.resume"), verb)(given[verb], others)
            return
    if "sweep.resume" in given:
        from leyden.sweeps.frozen import resumed_words

        others = [word for word in words if not word.startswith("sweep.resume=") and word not in MULTIRUN]
        words = resumed_words(given["sweep.resume"], project, others)
    if any(word in MULTIRUN for word in words):
        from leyden.sweeps.jobs import as_hydra_spells

        sys.path.append(PLUGINS)
        if {"--help", "-h"} & set(words):
            words = ["--help"]  # of lists of values Hydra would say that they are ambiguous
        if flags := [word for word in words if word.startswith(OTHER_CONFIGS)]:
            raise UserError(f"{flags[0]}: a sweep runs configs/train.yaml of its project, and no other config")
        words = [as_hydra_spells(word) for word in words]
    elif alone := [word for word in words if OF_SWEEPS.match(word) and not any(each[:1] == "-" for each in words)]:
        from leyden.config.mistakes import Mistake, WordsError
        from leyden.config.words import all_wrong
        from leyden.sweeps.jobs import as_hydra_spells

        what = "says how a sweep is run, and -m runs one"
        sys.path.append(PLUGINS)
        wrong = all_wrong([as_hydra_spells(word) for word in ["-m", *words]], project / "configs")
        found = [
            replace(each, instead=each.instead and ("-m", *each.instead)) for each in (wrong.mistakes if wrong else ())
        ]
        told = [Mistake((word,), f"{word}: {what}", ("-m", word)) for word in alone]
        raise WordsError([*told, *found])
    if "rerun" in given:
        from leyden.verbs.rerun import rerun_overrides

        words = rerun_overrides(given["rerun"], [word for word in words if not word.startswith("rerun=")])
    run(train_task, words, project)


def train_task(config: "DictConfig") -> float | None:
    """One training, as Hydra calls it: once, or for each job of a sweep."""
    from hydra.core.hydra_config import HydraConfig

    from leyden.runs.folder import CLAIMED, RunFolder
    from leyden.runs.record import in_sweep
    from leyden.runs.slurm import folder_of_requeued_job

    run = RunFolder(config.paths.run_dir)
    try:
        from leyden.verbs.resume import resume  # takes seconds: torch and lightning
        from leyden.verbs.train import train

        before = folder_of_requeued_job(Path(config.paths.log_dir), list(HydraConfig.get().overrides.task))
        if before is None and run.path.absolute() not in CLAIMED and (run.path / "config.yaml").is_file():
            before = run.path  # of a sweep that goes on
        return train(config) if before is None else resume(str(before), [], config.targets)
    except Exception as error:
        if in_sweep():
            raise  # the other jobs go on
        run.discard_if_not_begun()
        from leyden.faults import folded

        _fail(error, _whole if config.get("full_traceback") else folded)


def _overview() -> str:
    summaries = {verb: Signature.of(verb).documentation.splitlines()[0] for verb in VERBS}
    lines = [f"  leyden {verb:12}{summary}" for verb, summary in summaries.items()]
    return "\n".join(
        ["leyden: every run is a folder, and every verb takes a run.", "", *lines, "", "leyden VERB --help says more."]
    )


def _whole(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


def _fail(error: Exception, unexplained: Callable[[Exception], str] = _whole) -> NoReturn:
    from leyden.config.explain import explain

    lines = [f"error: {line}" for line in explain(error)] or [unexplained(error).rstrip("\n")]
    proposed = [f"try: {error.command}"] if isinstance(error, UserError) and error.command else []
    print(*lines, *proposed, sep="\n", file=sys.stderr)
    sys.exit(1)
