"""Which of the values that a search varied mattered. Read from run folders, as all of a report is."""

from typing import Any

from leyden.errors import UserError
from leyden.runs.folder import RunFolder
from leyden.sweeps.summary import Run, Summary
from leyden.sweeps.trial import trial_of

FEWEST = 10  # finished trials, below which the best tenth is less than one


def trials(summary: Summary) -> list[Run]:
    """The runs of a search, in the order in which they were begun; none where it was no search."""
    found = [run for run in summary.runs if run.path.name.isdigit() and _described(run)]
    return sorted(found, key=lambda run: int(run.path.name))


def importances(summary: Summary) -> dict[str, float]:
    """By key, from the highest; their sum is 1. PED-ANOVA (Watanabe et al., IJCAI 2023): how far the values of the best
    tenth of the trials that finished, by the first objective, are from those of all.

    Empty where that cannot be said: of too few trials, of a single key, of several searches, of damaged files, and
    without Optuna.
    """
    objective, mode = next(iter(summary.objectives.items()))
    finished = [run for run in trials(summary) if run.status == "finished" and run.objectives[objective] is not None]
    described = [_described(run) or {} for run in finished]
    if len(finished) < FEWEST or len({trial.get("study") for trial in described}) > 1:
        return {}
    try:
        from optuna import create_study, create_trial, logging
        from optuna.distributions import json_to_distribution
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    except ImportError:
        return {}
    logging.set_verbosity(logging.WARNING)
    study = create_study(direction="maximize" if mode == "max" else "minimize")
    try:
        space = {key: json_to_distribution(text) for key, text in described[0]["space"].items()}
        for run, trial in zip(finished, described, strict=True):
            study.add_trial(create_trial(value=run.objectives[objective], params=trial["values"], distributions=space))
        found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    except Exception:  # a file from elsewhere may hold anything
        return {}
    return found if len(found) > 1 else {}


def _described(run: Run) -> dict[str, Any] | None:
    try:
        return trial_of(RunFolder(run.path))
    except UserError:
        return None
