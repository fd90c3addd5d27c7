"""The command line: which verb, with which arguments. What a verb needs is imported when it is called, not before."""

import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from leyden.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig

HELP = """leyden: every run is a folder, and every verb takes a run.

  leyden train [OVERRIDES]      train a model, in a new folder under logs/; the same as python train.py
  leyden evaluate FOLDER        test a run's best checkpoint, from the run's own config

leyden VERB --help says more of each."""

EVALUATE_HELP = """leyden evaluate FOLDER [KEY=VALUE ...]: test a checkpoint of a run, from the run's own config.

  split=test          or val
  checkpoint=best     or last, or the path of a file (default: best, or last where none was validated)"""


def main(arguments: Sequence[str] | None = None, project: Path | None = None) -> None:
    """Run a verb. Exits with status 1, and one line on standard error where the user can put right what is wrong."""
    verb, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        if verb in ("-h", "--help"):
            print(HELP)
        elif verb not in VERBS:
            from leyden.config.explain import did_you_mean

            raise UserError(f"leyden has no verb {verb!r}{did_you_mean(verb, VERBS)} (there are: {', '.join(VERBS)})")
        else:
            VERBS[verb](rest, project)
    except Exception as error:
        _fail(error)


def _train(arguments: Sequence[str], project: Path | None) -> None:
    from leyden.config.app import project_folder, run

    run(train_task, arguments, project or project_folder(Path.cwd()))


def train_task(config: "DictConfig") -> float | None:
    """One training, as Hydra calls it: once, or for each job of a sweep."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from leyden.runs.folder import RunFolder
    from leyden.verbs.train import train

    try:
        return train(config)
    except Exception as error:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            raise  # the other jobs go on
        RunFolder(config.paths.run_dir).discard_if_not_begun()
        _fail(error)


def _evaluate(arguments: Sequence[str], project: Path | None) -> None:
    if not arguments or set(arguments) & {"-h", "--help"}:
        print(EVALUATE_HELP)
        return
    folder, *overrides = arguments
    from leyden.verbs.evaluate import evaluate

    evaluate(folder, **_keyword_arguments(evaluate, overrides))


VERBS: dict[str, Callable[[Sequence[str], Path | None], None]] = {"train": _train, "evaluate": _evaluate}


def _keyword_arguments(verb: Callable[..., Any], overrides: Sequence[str]) -> dict[str, str]:
    """`key=value` words as arguments of the verb, whose first parameter is the run folder."""
    names = list(inspect.signature(verb).parameters)[1:]
    given = {}
    for override in overrides:
        name, equals, value = override.partition("=")
        if not equals or name not in names:
            from leyden.config.explain import did_you_mean

            there = ", ".join(f"{name}=" for name in names)
            raise UserError(
                f"{override}: {verb.__name__} has no such argument{did_you_mean(name, names)} (there are: {there})"
            )
        given[name] = value
    return given


def _fail(error: Exception) -> NoReturn:
    from leyden.config.explain import explain

    line = explain(error)
    if line is None:
        traceback.print_exception(error)
        sys.exit(1)
    print(f"error: {line}", file=sys.stderr)
    sys.exit(1)
