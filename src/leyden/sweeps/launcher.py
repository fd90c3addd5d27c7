"""What our launchers share: jobs run elsewhere, and what becomes of each is passed on as soon as it is known."""

import os
import signal
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra import version
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobRuntime, JobStatus, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from leyden.config.app import HOME, use_paths_of
from leyden.config.explain import in_one_line
from leyden.config.targets import trusted_project
from leyden.config.words import VERSION_BASE
from leyden.errors import UserError
from leyden.runs.processes import is_first_process
from leyden.runs.slurm import is_job_of_sweep, requeue
from leyden.signals import told_to_stop

Ended = tuple[bool, str]  # whether a job has failed, and why


class JobsElsewhere(Launcher):
    """A launcher that runs jobs in processes other than the sweep's own."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.jobs = Jobs(hydra_context, task_function, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        returns: dict[int, JobReturn] = {}
        self.run(iter(job_overrides), lambda index: None, returns.__setitem__)
        return [returns[index] for index in range(len(job_overrides))]

    @abstractmethod
    def run(
        self, jobs: Iterator[Sequence[str]], begun: Callable[[int], None], ended: Callable[[int, JobReturn], None]
    ) -> None:
        """Run what `jobs` yields. Call `begun` with the place of each when it is in the hands of who runs it, and
        `ended` with its place and its result as soon as it has one.

        What `ended` raises stops all others: they are told to, save, and can go on. So does being told to stop.
        """


@dataclass(frozen=True)
class Jobs:
    """What all jobs of a sweep are run with. It can be sent to another process, and is called there with a job's words.

    Only what every Python knows comes back: an exception need not outlive the way to another process.
    """

    hydra_context: HydraContext
    task_function: TaskFunction
    config: DictConfig

    def __call__(self, words: Sequence[str]) -> Ended:
        """One job, in a process that knows nothing of the sweep yet."""
        self.prepare()
        with told_to_stop(_leave):
            return self.run(words)

    def prepare(self) -> None:
        version.setbase(VERSION_BASE)
        JobRuntime.instance().set("name", self.config.hydra.job.name)
        setup_globals()
        Plugins.instance()  # which bring configs along
        use_paths_of(Path(os.environ[HOME]))
        sys.argv = [str(trusted_project() / "train.py")]  # what Lightning may start further processes with

    def run(self, words: Sequence[str]) -> Ended:
        try:
            composed = self.hydra_context.config_loader.load_sweep_config(self.config, list(words))
            with open_dict(composed):
                number = int(next(word.split("=")[1] for word in words if word.startswith("hydra.sweep.subdir=")))
                composed.hydra.job.id = composed.hydra.job.num = number
                if not is_first_process():  # of one job that SLURM has started many for: only the first writes
                    composed.hydra.output_subdir = None
                    composed.hydra.job_logging = {"version": 1, "root": {"handlers": []}}
            result = run_job(
                hydra_context=self.hydra_context,
                task_function=self.task_function,
                config=composed,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
            error = result._return_value if result.status == JobStatus.FAILED else None
        except Exception as raised:
            error = raised
        if error is None:
            return False, ""
        return True, in_one_line(error)


def returned(ended: Ended) -> JobReturn:
    failed, line = ended
    result = JobReturn(status=JobStatus.FAILED if failed else JobStatus.COMPLETED)
    result.return_value = UserError(line) if failed else None
    return result


def _leave(number: int) -> None:
    """Answer where a process is told to stop outside of a training: there is nothing to save."""
    if number == signal.SIGUSR1 and is_job_of_sweep() and is_first_process():
        requeue()
    os._exit(128 + number)
