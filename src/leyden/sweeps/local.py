"""Jobs of a sweep side by side, on one machine: as many worker processes as there is room for."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from hydra.core.utils import JobReturn

from leyden.errors import UserError
from leyden.signals import Stop, told_to_stop
from leyden.sweeps.launcher import Jobs, JobsElsewhere, returned


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


class LocalLauncher(JobsElsewhere):
    """Runs jobs in `workers` processes (None: one for each share of GPUs or, without GPUs, for each core).

    Each worker has `gpus_per_job` GPUs of its own (None: one, where there are any), and its part of the CPU's threads.
    It imports torch once, and takes the next job when it is done with one. What a job prints is in its train.log.

    Raises UserError where the machine has not what is asked for.
    """

    def __init__(self, workers: int | None = None, gpus_per_job: int | None = None) -> None:
        self.shares = shares(workers, gpus_per_job)

    def run(
        self, jobs: Iterator[Sequence[str]], begun: Callable[[int], None], ended: Callable[[int, JobReturn], None]
    ) -> None:
        """Each job is run as soon as a worker is free."""
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
                    if told or (job := next(numbered, None)) is None:
                        break
                    workers.append(self._started(share))
                    begun(job[0])
                    self._give(workers[-1], job)
                while busy := [worker for worker in workers if worker.job is not None]:
                    for ready in wait([worker.pipe for worker in busy]):
                        worker = next(worker for worker in busy if worker.pipe is ready)
                        index, result = worker.job, self._result(worker)
                        assert index is not None
                        worker.job = None
                        if not told:
                            ended(index, result)
                        if told or (job := next(numbered, None)) is None:
                            continue
                        if not worker.process.is_alive():
                            workers.remove(worker)
                            workers.append(worker := self._started(worker.share))
                        begun(job[0])
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
        process = get_context("spawn").Process(target=work, args=(theirs, share, self.jobs))
        process.start()
        theirs.close()
        return Worker(process, ours, share)

    def _give(self, worker: Worker, job: tuple[int, Sequence[str]]) -> None:
        worker.job = job[0]
        with suppress(BrokenPipeError, ConnectionResetError):  # where it has died, what it answers says so
            worker.pipe.send(list(job[1]))

    def _result(self, worker: Worker) -> JobReturn:
        try:
            return returned(worker.pipe.recv())
        except (EOFError, ConnectionResetError):  # it has died in the middle of a job, or before
            worker.process.join()
            return returned((True, f"its process has died ({_cause(worker.process.exitcode)})"))


def shares(workers: int | None, gpus_per_job: int | None) -> list[Share]:
    gpus = visible_gpus()
    each = min(1, len(gpus)) if gpus_per_job is None else gpus_per_job
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    room = len(gpus) // each if each else cores
    count = room if workers is None else workers
    if each < 0 or count < 1 or (each and count > room):
        asked = f"launcher.workers={workers} launcher.gpus_per_job={gpus_per_job}".replace("None", "null")
        raise UserError(
            f"{asked}: there are {len(gpus)} GPUs here; workers must be 1 or more, gpus_per_job 0 or more, and their "
            "product no more than there are"
        )
    groups = [",".join(gpus[index * each : (index + 1) * each]) if each else None for index in range(count)]
    return [Share(max(1, cores // count), group) for group in groups]


def visible_gpus() -> list[str]:
    """As CUDA_VISIBLE_DEVICES names them. Asks no torch, whose import takes seconds."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return list(takewhile(lambda name: name not in ("", "-1"), named.split(",")))  # CUDA ignores what follows
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


def work(pipe: Connection, share: Share, jobs: Jobs) -> None:
    """A worker: runs the jobs that come through the pipe, one after the other, until it is closed."""
    os.environ |= share.environment()  # before torch is imported
    quiet = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(quiet, stream)
    jobs.prepare()
    with suppress(EOFError, OSError), told_to_stop(lambda number: os._exit(128 + number)):  # outside of a training
        while True:
            pipe.send(jobs.run(pipe.recv()))
