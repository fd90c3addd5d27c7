"""What all sweeps share: they run from their own copy of the code, begin no job twice, and say what they found."""

import fcntl
import os
import sys
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlparse

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from leyden.config.app import HOME
from leyden.config.explain import in_one_line
from leyden.config.extras import require_extras
from leyden.config.targets import untrusted
from leyden.errors import UserError
from leyden.runs.folder import CLAIMED, RunFolder
from leyden.signals import Stop
from leyden.sweeps.frozen import freeze, run_frozen, tell_of_changes
from leyden.sweeps.jobs import Job, key_of
from leyden.sweeps.launcher import JobsElsewhere
from leyden.sweeps.report_files import write
from leyden.sweeps.summary import summarize
from leyden.sweeps.table import tell

BEGUN_BY = "LEYDEN_SWEEP_BEGUN_BY"  # the number of the process that made the folder: it outlives handing over
NEEDED = {"slurm": "hydra_plugins.hydra_submitit_launcher", "ray": "ray"}  # by launchers


class TooManyFailuresError(Exception):
    """As many jobs have failed as may: the others have not begun."""


class SweepInFolder(Sweeper):
    """A sweep whose folder holds its command, its code, and the run folders of its jobs.

    It begins by being resumed: the process that is called first keeps command and code in the folder, and hands over.
    A job that fails does not stop the others, up to `sweep.max_failures` of them.
    """

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context: HydraContext = hydra_context
        self.config: DictConfig = config
        self.folder = Path(config.hydra.sweep.dir)
        if os.environ.get(BEGUN_BY) == str(os.getpid()):
            CLAIMED.add(self.folder.absolute())
        with self._nothing_left_behind():
            require(config.hydra.runtime.choices["hydra/launcher"])
            require_extras(config)
            self.launcher: Launcher = Plugins.instance().instantiate_launcher(
                hydra_context=hydra_context, task_function=task_function, config=config
            )
            most: Any = config.sweep.max_failures
            if most is not None and not (isinstance(most, int) and most > 0):
                raise UserError(f"sweep.max_failures={most}: must be a whole number above 0, or null")
        self.most_failures: int | None = 1 if config.sweep.fail_fast else most
        self.failures: dict[Job, str] = {}
        self.has_value = False  # whether a job has logged what the sweep is for

    def sweep(self, arguments: list[str]) -> None:
        overrides = OverridesParser.create(self.hydra_context.config_loader).parse_overrides(arguments)
        if self.config.sweep.resume is None:
            with self._nothing_left_behind():
                self._begin(overrides, arguments)
        with self._alone():
            try:
                with self._nothing_left_behind():
                    self.run(overrides)
            except TooManyFailuresError:
                limit = "fail_fast=true" if self.config.sweep.fail_fast else f"max_failures={self.most_failures}"
                print(f"stopped by sweep.{limit}: resumed, the jobs that have not begun come first", flush=True)
            except OSError as error:
                raise UserError(f"{error.filename or self.folder}: {error.strerror}; {self.again} goes on") from error
            except Stop:
                print(f"interrupted: {self.again} goes on", file=sys.stderr)
                raise
            self.conclude()

    def _begin(self, overrides: Sequence[Override], words: Sequence[str]) -> NoReturn:
        self.check(overrides)
        (main,) = (part.path for part in self.config.hydra.runtime.config_sources if part.provider == "main")
        project = Path(urlparse(main).path).parent
        if not (project / "train.py").is_file():
            raise UserError(f"{project} has no train.py: a sweep runs a copy of it, of src/ and of configs/")
        freeze(project, RunFolder(self.folder), words)
        RunFolder(self.folder).write("multirun.yaml", OmegaConf.to_yaml(self.config))  # last: now it is a sweep
        os.environ[BEGUN_BY] = str(os.getpid())
        run_frozen(project, self.folder, untrusted([*words, *self.config.hydra.overrides.hydra]))

    @abstractmethod
    def check(self, overrides: Sequence[Override]) -> None:
        """Raise, before anything is begun, where the sweep cannot be run."""

    @abstractmethod
    def run(self, overrides: Sequence[Override]) -> None:
        """Run all that is missing."""

    def launch(self, jobs: Iterator[Job], varied: Sequence[str]) -> None:
        """Run the jobs: in this process one after the other, elsewhere as the launcher likes."""
        given: list[Job] = []

        def commands() -> Iterator[list[str]]:
            for job in jobs:
                given.append(job)
                yield job.command

        def begun(index: int) -> None:
            shown = " ".join(word for word in given[index].words if key_of(word) in varied)
            print(f"job {given[index].number} begins: {shown}", flush=True)

        def ended(index: int, result: JobReturn) -> None:
            self.note(given[index], result)

        if isinstance(self.launcher, JobsElsewhere):
            self.launcher.run(commands(), begun, ended)
        elif isinstance(self.launcher, BasicLauncher):
            for index, command in enumerate(commands()):
                begun(index)
                (result,) = self.launcher.launch([command], initial_job_idx=given[index].number)
                ended(index, result)
        elif batch := list(commands()):
            for index in range(len(batch)):
                begun(index)
            for index, result in enumerate(self.launcher.launch(batch, initial_job_idx=given[0].number)):
                ended(index, result)

    def note(self, job: Job, ended: JobReturn) -> None:
        """Take in what became of a job. Raises TooManyFailuresError, or UserError where no other would do better."""
        if ended.status == JobStatus.FAILED:
            error = ended._return_value
            self.failures[job] = in_one_line(error)
            print(f"job {job.number} failed: {self.failures[job]}", flush=True)
            if job.status() == "running" and not job.run.is_locked():  # its process has died
                job.run.write_result(job.run.result() | {"status": "failed", "error": self.failures[job]})
            if self.most_failures and len(self.failures) >= self.most_failures:
                raise TooManyFailuresError
            return
        result = job.run.result()
        monitor = result["monitor"]
        value = "" if monitor["value"] is None else f": {monitor['name']} {monitor['value']:.6g}"
        print(f"job {job.number} {result['status']}{value} ({result['seconds']:,.1f} s)", flush=True)
        missing = self.not_logged(result)
        self.has_value |= missing is None
        if not self.has_value:
            logged = ", ".join(result["metrics"]) or "nothing"
            raise UserError(f"{missing} was not logged by {job.run}; it logged {logged}")

    def not_logged(self, result: Mapping[str, Any]) -> str | None:
        """What the sweep is for, where a job that has ended has logged none of it."""
        monitor = result["monitor"]
        return f"monitor.metric={monitor['name']}" if monitor["value"] is None else None

    def conclude(self) -> None:
        """Say what the sweep has found, and keep it. Raises UserError where a job has failed."""
        tell_of_changes(Path(os.environ[HOME]), RunFolder(self.folder))
        try:
            summary = summarize(self.folder)
        except UserError as error:  # experiments, say, that monitor different metrics
            print(f"no table of all jobs: {error}", flush=True)
        else:
            tell(summary)
            write(summary, self.folder)
        if self.failures:
            raise UserError(f"{len(self.failures)} job{'s' * (len(self.failures) > 1)} failed; {self.remedy}")

    @property
    def again(self) -> str:
        return f"python train.py sweep.resume={RunFolder(self.folder)}"

    @property
    def remedy(self) -> str:
        """What can be done about jobs that failed."""
        return f"{self.again} runs again what is not done"

    @contextmanager
    def _nothing_left_behind(self) -> Iterator[None]:
        """Of a sweep that cannot begin."""
        try:
            yield
        except Exception:
            RunFolder(self.folder).discard_if_not_begun()
            with suppress(OSError):  # other runs of the experiment are in it
                self.folder.parents[1].rmdir()
            raise

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / "multirun.yaml").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                message = f"{RunFolder(self.folder)} is being run by another process: one folder, one sweep"
                raise UserError(message) from error
            yield


def require(launcher: str) -> None:
    """Raises UserError where a launcher needs a package that is not installed."""
    module = NEEDED.get(launcher)
    if module and not find_spec(module):
        package = module.rpartition(".")[2].replace("_", "-")
        raise UserError(f"hydra/launcher={launcher} needs {package}: pip install 'leyden[{launcher}]'")
