"""The study of a search: which trials there are, and what became of them, for several processes at once."""

import fcntl
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import CategoricalDistribution
from optuna.samplers import CmaEsSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from leyden.errors import UserError
from leyden.runs.folder import RunFolder
from leyden.sweeps.jobs import Job, words_of_job
from leyden.sweeps.space import Space
from leyden.sweeps.trial import FILE, JOURNAL, pruner, storage_of

SAMPLERS = {
    "tpe": TPESampler,
    "random": RandomSampler,
    "grid": RandomSampler,  # has nothing to say: every point is given
    "cmaes": CmaEsSampler,
    "nsgaii": NSGAIISampler,
}
KEPT_NAME = "study.name"  # in the sweep's folder
PRUNERS = ("none", "median", "hyperband")
MODES = {"min": StudyDirection.MINIMIZE, "max": StudyDirection.MAXIMIZE}
STATES = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class Study:
    """Makes `n_trials` jobs out of a study in the sweep's folder, or at `sweep.storage`, whoever else does so, too.

    A trial has the number of its job. The process that has taken one holds a lock on its trial.json until it has told
    what became of it: so a trial that is running but not locked was left by a process that has died, and goes on with
    whoever asks next. Between machines this needs a file system whose `flock` reaches across them (NFS does, Lustre
    where it is mounted with `-o flock`).

    The sampler of a trial is seeded with the search's seed and the trial's number, so that a search that goes on draws
    what it would have drawn; all else that a sampler knows is in the study. What several processes or workers draw
    depends, but for random and grid, on which trial is done first.

    Raises UserError for settings that do not go together, a storage that cannot be reached, and a study of another
    search.
    """

    def __init__(self, config: DictConfig, folder: Path, space: Space) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.settings: DictConfig = config.sweep
        self.folder, self.space = folder, space
        self.objectives = objectives(config)
        self.pruner = chosen_pruner(config, len(self.objectives))
        check(self.settings, space, len(self.objectives))
        self.points = space.points() if self.settings.sampler == "grid" else None
        self.n_trials: int = min(self.settings.n_trials, len(self.points or range(self.settings.n_trials)))
        kept = folder / KEPT_NAME  # whatever the folder is called by now
        self.name = kept.read_text() if kept.is_file() else f"{config.name}/{folder.resolve().name}"
        self._held: dict[int, TextIOWrapper] = {}

    def open(self) -> None:
        """Make the study, or go on with the one that is there."""
        url, name = self.settings.storage, self.name
        searches = {"space": self.space.as_json(), "choice of objectives": self.objectives}
        try:
            with self._one_at_a_time():
                storage = storage_of(self.folder, url)
                if any(self.folder.glob(f"*/{FILE}")):
                    optuna.load_study(study_name=name, storage=storage)  # raises where there is none
                self.study = optuna.create_study(
                    storage=storage,
                    study_name=name,
                    load_if_exists=True,
                    directions=[MODES[mode] for mode in self.objectives.values()],
                    pruner=pruner(*self.pruner),
                )
                if not self.study.user_attrs and not self.study.get_trials(deepcopy=False):
                    for key, value in searches.items():
                        self.study.set_user_attr(key, value)
        except KeyError as error:
            kept = f"sweep.storage={url}" if url else str(self.folder / JOURNAL)
            raise UserError(f"{kept}: the trials of {self.folder} are of a study that is not there") from error
        except Exception as error:  # each storage has errors of its own
            reason = str(error).splitlines()[0]
            where = f"sweep.storage={url}" if url else str(self.folder / JOURNAL)
            raise UserError(f"{where}: the study cannot be opened ({reason})") from error
        if not (self.folder / KEPT_NAME).is_file():
            RunFolder(self.folder).write(KEPT_NAME, name)
        there = self.study.user_attrs
        for key, value in searches.items():
            if differing := sorted({name for name, _ in there.get(key, {}).items() ^ value.items()}):
                what = f"its {key} differs in {', '.join(differing)}"
                raise UserError(f"the study {name} is of another search: {what}; a new search takes a new sweep")

    def done(self) -> int:
        """How many trials have come to an end."""
        return sum(trial.state.is_finished() for trial in self.study.get_trials(deepcopy=False))

    def running(self) -> int:
        return len(self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))

    def next_job(self) -> Job | None:
        """One that was left, or else a new one; None where all are done, or in other hands."""
        with self._one_at_a_time():
            trials = self.study.get_trials(deepcopy=False)
            for trial in trials:
                if trial.state == TrialState.RUNNING and self._is_left(trial) and not self._was_done(trial):
                    self.study.sampler = self._sampler(trial.number)
                    return self._held_job(Trial(self.study, trial._trial_id))
            begun = [trial for trial in trials if trial.state != TrialState.WAITING]
            if len(begun) >= self.n_trials:
                return None
            self.study.sampler = self._sampler(len(begun))
            if self.points is not None and len(begun) == len(trials):
                self.study.enqueue_trial(self.points[len(begun)])
            return self._held_job(self.study.ask())

    def tell(self, job: Job) -> list[float] | None:
        """Take in what the result of a job says: its values, where it has finished with all of them."""
        result = job.run.result() if job.status() in STATES else {"status": "failed"}
        values = self._values(result) if result["status"] == "finished" else None
        state = STATES[result["status"]]
        if state == TrialState.COMPLETE and values is None:
            state = TrialState.FAIL
        self.study.tell(job.number, values, state, skip_if_finished=True)
        if held := self._held.pop(job.number, None):
            held.close()
        return values

    def _held_job(self, trial: Trial) -> Job:
        """The job of a trial that we run from now on."""
        values = {key: trial._suggest(key, distribution) for key, distribution in self.space.searched.items()}
        run = RunFolder(self.folder / str(trial.number))
        run.path.mkdir(exist_ok=True)
        if not (run.path / FILE).is_file():
            described = {"study": self.name, "storage": self.settings.storage, "number": trial.number}
            described |= {"pruner": None if self.pruner[0] == "none" else self.pruner}
            described |= {"values": values, "space": self.space.as_json()}
            run.write_json(FILE, described)
        elif json.loads((run.path / FILE).read_text()).get("values") != json.loads(json.dumps(values)):
            raise UserError(f"{run} holds a trial of another study: a new search takes a new sweep")
        self._held[trial.number] = (run.path / FILE).open("a")  # NFS locks only what may be written
        fcntl.flock(self._held[trial.number], fcntl.LOCK_EX)
        return Job(trial.number, words_of_job(self.space.words(values)), run)

    def _is_left(self, trial: FrozenTrial) -> bool:
        """Whether no process runs it, or has it in hand."""
        if trial.number in self._held:
            return False
        run = RunFolder(self.folder / str(trial.number))
        try:
            with (run.path / FILE).open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except FileNotFoundError:
            return True
        return not run.is_locked()  # a worker whose parent has died ends its job

    def _was_done(self, trial: FrozenTrial) -> bool:
        """Whether all that was left to do is to tell."""
        job = Job(trial.number, (), RunFolder(self.folder / str(trial.number)))
        if job.status() not in STATES:
            return False
        self.tell(job)
        return True

    def _values(self, result: Mapping[str, Any]) -> list[float] | None:
        """What is searched for; None where it is no number."""
        if self.settings.objectives is None:
            values = [result["monitor"]["value"]]
        else:
            values = [result["metrics"].get(name) for name in self.objectives]
        return None if None in values else values

    def _sampler(self, number: int) -> Any:
        seed = np.random.SeedSequence((self.settings.seed, number)).generate_state(1)
        return SAMPLERS[self.settings.sampler](seed=int(seed[0]))

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Of the processes that run this sweep, one after the other."""
        with (self.folder / "study.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def objectives(config: DictConfig) -> dict[str, str]:
    """Metrics, and whether the smallest or the largest is the best. Raises UserError for what is neither."""
    several = config.sweep.objectives
    if several is None:
        return {config.monitor.metric: _one_of(config.monitor, "mode", MODES)}
    found: Any = OmegaConf.to_container(several) if OmegaConf.is_config(several) else several
    if not isinstance(found, dict) or not found or set(map(str, found.values())) - MODES.keys():
        raise UserError(f"sweep.objectives={found}: must be metrics with min or max, such as {{val/loss: min}}")
    return {str(name): mode for name, mode in found.items()}


def chosen_pruner(config: DictConfig, objectives: int) -> tuple[str, dict[str, int]]:
    """Its name and its options. Raises UserError where there is none of that name, or where it cannot work."""
    name = _one_of(config.sweep, "pruner", PRUNERS)
    if name != "none" and objectives > 1:
        raise UserError(f"sweep.pruner={name}: with several objectives no run can be pruned")
    if name != "hyperband":
        return name, {}
    longest = config.trainer.max_epochs
    if longest is None or longest < 1:
        raise UserError("sweep.pruner=hyperband: trainer.max_epochs must say how long a run is at most")
    first = min(config.trainer.check_val_every_n_epoch or 1, longest)
    return name, {"min_resource": first, "max_resource": longest}


def check(settings: DictConfig, space: Space, objectives: int) -> None:
    """Raise UserError for settings that are none, or do not go together."""
    sampler = _one_of(settings, "sampler", SAMPLERS)
    for name, least in (("n_trials", 1), ("seed", 0)):
        if not isinstance(settings[name], int) or settings[name] < least:
            raise UserError(f"sweep.{name}={settings[name]}: must be a whole number from {least} on")
    if sampler != "cmaes":
        return
    numbers = [each for each in space.searched.values() if not isinstance(each, CategoricalDistribution)]
    if len(numbers) < 2 or len(numbers) < len(space.searched) or objectives > 1:
        raise UserError("sweep.sampler=cmaes: searches two or more intervals or ranges, no choices, for one objective")
    try:
        import cmaes  # noqa: F401
    except ImportError as error:
        raise UserError("sweep.sampler=cmaes needs cmaes: pip install 'leyden[sweeps]'") from error


def _one_of(config: DictConfig, key: str, choices: Collection[str]) -> str:
    chosen = str(config[key])
    if chosen not in choices:
        raise UserError(f"{config._get_full_key(key)}={chosen}: choose one of {', '.join(choices)}")
    return chosen
