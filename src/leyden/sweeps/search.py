"""Values that Optuna proposes, each in view of what came of those before it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn
from omegaconf import OmegaConf

from leyden.errors import UserError
from leyden.runs.folder import RunFolder
from leyden.sweeps.jobs import Job
from leyden.sweeps.sweeper import SweepInFolder

if TYPE_CHECKING:
    from leyden.sweeps.study import Study


class OptunaSweeper(SweepInFolder):
    """Asks the study for a trial as soon as there is a worker for it, until there are `sweep.n_trials` in all.

    Several processes, on several machines that share the folder, may run one search: each by sweep.resume=FOLDER. A
    trial that failed counts, and is not run again. A launcher that takes all jobs at once gets all that are left,
    before any result is known: it suits sampler=random and grid.
    """

    def check(self, overrides: Sequence[Override]) -> None:
        study = self.study_of(overrides)
        self.validate_batch_is_legal([study.space.words(values) for values in study.space.samples()])
        study.open()

    def run(self, overrides: Sequence[Override]) -> None:
        self.study = self.study_of(overrides)
        self.study.open()
        trials = f"{self.study.n_trials} trials, of which {self.study.done()} are done"
        print(f"{trials}, in {RunFolder(self.folder)}", flush=True)
        self.launch(iter(self.study.next_job, None), list(self.study.space.searched))
        if others := self.study.running():
            trials = "trial is" if others == 1 else "trials are"
            print(f"{others} {trials} still trained by another process of this search: its table will be the whole one")

    def study_of(self, overrides: Sequence[Override]) -> "Study":
        """Raises UserError for what cannot be searched, and where Optuna is missing."""
        try:
            from leyden.sweeps.space import space_of
            from leyden.sweeps.study import Study
        except ModuleNotFoundError as error:
            if error.name != "optuna":
                raise
            raise UserError("sweep=optuna needs Optuna: pip install 'leyden[sweeps]'") from error
        configured: Any = OmegaConf.to_container(OmegaConf.create({"space": self.config.sweep.space}))
        return Study(self.config, self.folder, space_of(overrides, configured["space"] or {}))

    def note(self, job: Job, ended: JobReturn) -> None:
        try:
            super().note(job, ended)
        finally:
            self.study.tell(job)

    def not_logged(self, result: Mapping[str, Any]) -> str | None:
        if self.config.sweep.objectives is None or result["status"] != "finished":
            return super().not_logged(result)
        return next((name for name in self.study.objectives if name not in result["metrics"]), None)

    @property
    def remedy(self) -> str:
        again = "a trial is not run again"
        more = self.study.n_trials + len(self.failures)
        return again if self.study.points else f"{again}; {self.again} sweep.n_trials={more} makes as many others"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        yield
