"""Jobs of a sweep as one job array of SLURM's."""

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn
from omegaconf import DictConfig, OmegaConf

from leyden.config.app import HOME
from leyden.errors import UserError
from leyden.signals import stop, told_to_stop
from leyden.sweeps.launcher import Ended, JobsElsewhere, returned

if TYPE_CHECKING:
    from submitit import Job

COMMANDS = ("sbatch", "srun", "squeue", "scancel")
SQUEUE = ("squeue", "--me", "--noheader", "--array", "--format=%i")
ASK_SECONDS = 15.0  # between two questions to SLURM, which has other users


class SlurmLauncher(JobsElsewhere):
    """Submits an array, and waits for it. The parameters are those of hydra-submitit-launcher.

    SLURM signals SIGUSR1 `signal_delay_s` before the time of a job is over, or its machine is taken: the job saves, and
    asks to be queued again, as often as it takes. (What submitit would do on SIGUSR2 is never asked for.)

    Raises UserError where there is no SLURM, and where it does not take the array.
    """

    def __init__(
        self,
        submitit_folder: str,
        signal_delay_s: int,
        setup: Sequence[str] | None,
        additional_parameters: DictConfig,
        **parameters: Any,
    ) -> None:
        require_slurm()
        ours = [f"export {name}={shlex.quote(os.environ[name])}" for name in ("PYTHONPATH", HOME) if name in os.environ]
        more = {"signal": f"USR1@{signal_delay_s}", "requeue": True}
        self.folder = submitit_folder
        self.parameters = {
            **parameters,
            "setup": [*ours, *(setup or [])],  # for clusters that hand no environment on
            "additional_parameters": more | OmegaConf.to_container(additional_parameters),  # type: ignore[operator]
        }

    def run(
        self, jobs: Iterator[Sequence[str]], begun: Callable[[int], None], ended: Callable[[int, JobReturn], None]
    ) -> None:
        if not (batch := [list(words) for words in jobs]):
            return
        with told_to_stop(stop):
            submitted = self._submit(batch)
            array = submitted[0].job_id.split("_")[0]
            print(f"SLURM has them as job {array}; what they print: {os.path.relpath(submitted[0].paths.folder)}")
            for index in range(len(batch)):
                begun(index)
            try:
                for index, result in outcomes(submitted):
                    ended(index, returned(result))
            except BaseException:
                subprocess.run(["scancel", array], check=False)
                while any(job.split("_")[0] == array for job in queue() or ()):
                    time.sleep(1)
                raise

    def _submit(self, batch: Sequence[Sequence[str]]) -> "list[Job[Ended]]":
        import submitit
        from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf

        everywhere = {field.name for field in fields(BaseQueueConf)}
        executor = submitit.AutoExecutor(self.folder, cluster="slurm")
        try:
            executor.update_parameters(
                **{key if key in everywhere else f"slurm_{key}": value for key, value in self.parameters.items()}
            )
            return executor.map_array(self.jobs, batch)
        except (RuntimeError, submitit.core.utils.FailedJobError) as error:
            line = next((line for line in reversed(str(error).splitlines()) if "error: " in line), str(error))
            raise UserError(f"hydra/launcher=slurm: {line.rpartition('error: ')[2]}") from error


def require_slurm() -> None:
    """Raises UserError where SLURM takes no jobs from this machine."""
    if missing := [command for command in COMMANDS if not shutil.which(command)]:
        raise UserError(
            f"hydra/launcher=slurm: there is no {missing[0]} on this machine's PATH; call it where SLURM takes jobs "
            "from, a login node say, or with hydra/launcher=local"
        )
    answer = subprocess.run(SQUEUE, capture_output=True, text=True, check=False)
    if answer.returncode:
        why = (answer.stderr.strip() or f"squeue: exit status {answer.returncode}").splitlines()[-1]
        raise UserError(f"hydra/launcher=slurm: SLURM does not answer from here ({why})")


def outcomes(jobs: "Sequence[Job[Ended]]") -> Iterator[tuple[int, Ended]]:
    """The place and the outcome of each job, in the order in which they end.

    A job that was killed leaves none: it is known by not being in SLURM's queue any more. One that is queued again is.
    """
    waiting = dict(enumerate(jobs))
    before = now = queue()
    asked = time.monotonic()
    while waiting:
        if time.monotonic() > asked + ASK_SECONDS:
            before, now, asked = now, queue(), time.monotonic()
        for index, job in list(waiting.items()):
            first, result = job.task(0), None
            if first.paths.result_pickle.is_file():
                kind, result = first._get_outcome_and_result()
                result = result if kind == "success" else (True, result.strip().splitlines()[-1])
            # Asked twice: a file may come later than its writer's end, where the disk is another machine's.
            elif before is not None and now is not None and job.job_id not in before | now:
                result = (
                    True,
                    f"SLURM job {job.job_id} left no result; {os.path.relpath(first.paths.stderr)} may say why",
                )
            if result is not None:
                del waiting[index]
                yield index, result
        time.sleep(1)


def queue() -> set[str] | None:
    """The jobs of this user that wait or run, those of arrays one by one; None where SLURM does not answer."""
    completed = subprocess.run(SQUEUE, capture_output=True, text=True, check=False)
    return None if completed.returncode else set(completed.stdout.split())
