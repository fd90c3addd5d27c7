"""What ties a run to a trial of a study: `trial.json` in its folder. Without it, the run is one like any other."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leyden.config.app import HOME
from leyden.config.targets import trusted_project
from leyden.errors import UserError
from leyden.runs.folder import RunFolder
from leyden.runs.processes import is_first_process
from leyden.runs.record import in_sweep

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

FILE = "trial.json"
JOURNAL = "study.log"

Report = Callable[[float, int], bool]


def trial_of(run: RunFolder) -> dict[str, Any] | None:
    """None where the run is no trial. Raises UserError where the file is damaged."""
    file = run.path / FILE
    try:
        trial = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError, OSError) as error:
        raise UserError(f"{file} is damaged: {error}") from error
    if not isinstance(trial, dict):
        raise UserError(f"{file} is damaged: it holds no mapping")
    return trial


def storage_of(sweep: Path, url: str | None) -> "BaseStorage":
    """Where the study of a sweep is kept; the relative path of an sqlite database is the project's.

    Raises what Optuna raises where it cannot be reached.
    """
    from optuna.storages import JournalStorage, get_storage
    from optuna.storages.journal import JournalFileBackend

    if url is None:
        return JournalStorage(JournalFileBackend(str(sweep / JOURNAL)))
    scheme, _, path = url.partition(":///")
    if scheme == "sqlite" and path:
        url = f"{scheme}:///{Path(os.environ.get(HOME, trusted_project())) / path}"
    return get_storage(url)


def pruner_of(run: RunFolder) -> Report | None:
    """None where a run is not to be pruned; else a function that takes in a value and the number of epochs after which
    it was reached, and says whether to end the run.

    Once its sweep is over, nobody prunes a run: who resumes it alone asks no study, wherever that may be. Further
    processes of one training follow the first.
    """
    trial = trial_of(run)
    if trial is None or trial.get("pruner") is None:
        return None
    if not (in_sweep() and is_first_process()):
        return lambda value, epochs: False
    from optuna import Trial, load_study

    name, options = trial["pruner"]
    study = load_study(
        study_name=trial["study"],
        storage=storage_of(run.path.parent, trial["storage"]),
        pruner=pruner(name, options),
    )
    ours = Trial(study, next(each._trial_id for each in study.get_trials() if each.number == trial["number"]))

    def report(value: float, epochs: int) -> bool:
        if epochs not in study.get_trials()[trial["number"]].intermediate_values:  # a run that goes on may say it again
            ours.report(value, epochs)
        return ours.should_prune()

    return report


def pruner(name: str, options: Mapping[str, Any]) -> Any:
    """Optuna's pruner of that name."""
    from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

    return {"none": NopPruner, "median": MedianPruner, "hyperband": HyperbandPruner}[name](**options)
