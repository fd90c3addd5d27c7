"""Jobs of a sweep side by side, on one machine: as many worker processes as there is room for."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from hydra.core.utils import JobReturn, JobRuntime, JobStatus, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from leyden.config.app import HOME, use_paths_of
from leyden.config.explain import explain
from leyden.errors import UserError
from leyden.signals import Stop, told_to_stop

Ended = tuple[bool, str]  # whether a job has failed, and why


@dataclass(frozen=True)
class Share:
    """What one worker has of the machine: threads of the CPU, and GPUs by their numbers (None: as it is)."""

    threads: int
    gpus: str | None

    def environment(self) -> dict[str, str]:
        gpus = {} if self.gpus is None else {"CUDA_VISIBLE_DEVICES": self.gpus}
        return {"OMP_NUM_THREADS": str(self.threads)} | gpus


@dataclass
class Worker:
    process: BaseProcess
    pipe: Connection
    share: Share
    job: int | None = None  # which one it is at, by its place in the batch


class LocalLauncher(Launcher):
    """Runs jobs in `workers` processes (None: one for each share of GPUs or, without GPUs, for each core).

    Each worker has `gpus_per_job` GPUs of its own (None: one, where there are any), and its part of the CPU's threads.
    It imports torch once, and takes the next job when it is done with one. What a job prints is in its train.log.

    Raises ValueError where the machine has not what is asked for.
    """

    def __init__(self, workers: int | None = None, gpus_per_job: int | None = None) -> None:
        self.shares = shares(workers, gpus_per_job)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        returns: dict[int, JobReturn] = {}
        self.run(iter(job_overrides), returns.__setitem__)
        return [returns[index] for index in range(len(job_overrides))]

    def run(self, jobs: Iterator[Sequence[str]], ended: Callable[[int, JobReturn], None]) -> None:
        """Run what `jobs` yields, each as soon as a worker is free, and call `ended` with its place and its result.

        What `ended` raises stops all others: they are told to, save, and can go on. So does being told to stop.
        """
        told: list[int] = []
        workers: list[Worker] = []

        def pass_on(number: int) -> None:
            told.append(number)
            for worker in workers:
                with suppress(ProcessLookupError, TypeError):
                    os.kill(worker.process.pid, number)  # type: ignore[arg-type]

        numbered = enumerate(jobs)
        with told_to_stop(pass_on):
            try:
                for share in self.shares:
                    if (job := next(numbered, None)) is None:
                        break
                    workers.append(self._started(share))
                    self._give(workers[-1], job)
                while busy := [worker for worker in workers if worker.job is not None]:
                    for ready in wait([worker.pipe for worker in busy]):
                        worker = next(worker for worker in busy if worker.pipe is ready)
                        index, result = worker.job, self._result(worker)
                        assert index is not None
                        worker.job = None
                        if not told:
                            ended(index, result)
                        if not worker.process.is_alive() and not told:
                            workers.remove(worker)
                            workers.append(worker := self._started(worker.share))
                        if not told and (job := next(numbered, None)) is not None:
                            self._give(worker, job)
            except BaseException:
                pass_on(signal.SIGTERM)
                raise
            finally:
                for worker in workers:
                    worker.pipe.close()  # who waits for a job then ends
                for worker in workers:
                    worker.process.join()
        if told:
            raise Stop(told[0])

    def _started(self, share: Share) -> Worker:
        ours, theirs = get_context("spawn").Pipe()
        arguments = (theirs, share, self.hydra_context, self.task_function, self.config)
        process = get_context("spawn").Process(target=work, args=arguments)
        process.start()
        theirs.close()
        return Worker(process, ours, share)

    def _give(self, worker: Worker, job: tuple[int, Sequence[str]]) -> None:
        worker.job = job[0]
        worker.pipe.send(list(job[1]))

    def _result(self, worker: Worker) -> JobReturn:
        try:
            failed, line = worker.pipe.recv()
        except EOFError:  # it has died in the middle of a job
            worker.process.join()
            failed, line = True, f"its process has died ({_cause(worker.process.exitcode)})"
        result = JobReturn(status=JobStatus.FAILED if failed else JobStatus.COMPLETED)
        result.return_value = UserError(line) if failed else None
        return result


def shares(workers: int | None, gpus_per_job: int | None) -> list[Share]:
    gpus = visible_gpus()
    each = min(1, len(gpus)) if gpus_per_job is None else gpus_per_job
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    room = len(gpus) // each if each else cores
    count = room if workers is None else workers
    if each < 0 or count < 1 or (each and count > room):
        raise ValueError(
            f"launcher.workers={workers}, launcher.gpus_per_job={gpus_per_job}: there are {len(gpus)} GPUs and "
            f"{cores} cores here"
        )
    groups = [",".join(gpus[index * each : (index + 1) * each]) if each else None for index in range(count)]
    return [Share(max(1, cores // count), group) for group in groups]


def visible_gpus() -> list[str]:
    """As CUDA_VISIBLE_DEVICES names them. Asks no torch, whose import takes seconds."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return []
    return [str(index) for index, _ in enumerate(line for line in listed.splitlines() if line.startswith("GPU "))]


def _cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        return f"{name}: out of memory, perhaps" if name == "SIGKILL" else name
    return f"exit status {exitcode}"


def work(
    pipe: Connection,
    share: Share,
    hydra_context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
) -> None:
    """A worker: runs the jobs that come through the pipe, one after the other, until it is closed."""
    os.environ |= share.environment()  # before torch is imported
    quiet = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(quiet, stream)
    JobRuntime.instance().set("name", config.hydra.job.name)
    setup_globals()
    use_paths_of(Path(os.environ[HOME]))
    with suppress(EOFError, OSError), told_to_stop(lambda number: os._exit(128 + number)):  # outside of a training
        while True:
            words = pipe.recv()
            pipe.send(_run(words, hydra_context, task_function, config))


def _run(words: list[str], hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> Ended:
    try:
        composed = hydra_context.config_loader.load_sweep_config(config, words)
        with open_dict(composed):
            number = int(next(word.split("=")[1] for word in words if word.startswith("hydra.sweep.subdir=")))
            composed.hydra.job.id = composed.hydra.job.num = number
        result = run_job(
            hydra_context=hydra_context,
            task_function=task_function,
            config=composed,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        error = result._return_value if result.status == JobStatus.FAILED else None
    except Exception as raised:
        error = raised
    if error is None:
        return False, ""
    return True, explain(error) or f"{type(error).__name__}: {error}".splitlines()[0]
