"""The story of one training as `result.json` tells it, from its start to its end."""

import os
import shlex
import signal
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import IO, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from leyden.errors import UserError
from leyden.files import reserved
from leyden.runs.folder import CLAIMED, FORMAT, RunFolder
from leyden.runs.processes import is_first_process
from leyden.runs.slurm import is_job_of_sweep, job_id, requeue


class Record:
    """Writes `result.json` at the start and at every change of status. Of several processes only the first writes."""

    def __init__(
        self, run: RunFolder, name: str, monitor: Mapping[str, str], earlier: Mapping[str, Any] | None = None
    ) -> None:
        """`monitor` has the keys `metric` and `mode`; `earlier` is the result of the same run before it was resumed."""
        self.run = run
        self.result: dict[str, Any] = {
            "format": FORMAT,
            "name": name,
            "started": earlier["started"] if earlier else datetime.now().isoformat(timespec="seconds"),
            "status": "running",
            "monitor": {"name": monitor["metric"], "mode": monitor["mode"], "value": None},
            "metrics": {},
            "best_checkpoint": None,
            "last_checkpoint": None,
            "seconds": 0.0,
            "steps": 0,
            "epochs": 0,
            "error": None,
        }
        self._trainer: Any = None
        self._best: Any = None
        self._earlier_config: str | None = None
        self._began = 0.0
        self._reserve: IO[bytes] | None = None  # what the end of a run that fills the disk is written in
        self._writes = earlier is None  # a run that cannot be resumed keeps the result that it has
        self._write()

    def training_begins(self, trainer: Any, best: Any) -> None:
        """From here on the record follows a lightning Trainer, and the callback that knows the best monitored value."""
        self._trainer, self._best, self._began = trainer, best, time.monotonic()
        if is_first_process():
            with suppress(OSError):  # a disk that is full now is told of by what training writes
                self._reserve = reserved(self.run.path)

    def keep_config(self) -> None:
        """Remember what a run that is about to be resumed was configured as, until it has truly begun again."""
        file = self.run.path / "config.yaml"
        self._earlier_config = None if self._writes or not file.is_file() else file.read_text()

    @property
    def has_begun(self) -> bool:
        return self._writes

    def begun(self) -> None:
        """Nothing can be wrong with the config any more: a resumed run has truly begun again."""
        self._writes, self._earlier_config = True, None
        self._write()

    def state(self) -> dict[str, Any]:
        """How long training took, and which metrics were logged last: what a checkpoint keeps of the record."""
        logged = {name: float(value) for name, value in self._trainer.callback_metrics.items()}
        metrics = self.result["metrics"] | logged
        return {"seconds": self.result["seconds"] + time.monotonic() - self._began, "metrics": metrics}

    def training_ends(self) -> None:
        """Take over how far the trainer got in how many seconds, the metrics it logged last, and the best monitored."""
        if self._trainer is not None:
            self.result |= self.state() | {"steps": self._trainer.global_step, "epochs": self._trainer.current_epoch}
            self.result["seconds"] = round(self.result["seconds"], 3)
            self.result["monitor"]["value"] = self._best.value
            self._trainer = None

    def finished(self, test_metrics: Mapping[str, float]) -> None:
        self.result["metrics"] |= test_metrics
        self._close("finished", None)

    def pruned(self) -> None:
        """Another run was better at the same epoch: the rest of this one, and its test, are left out."""
        self._close("pruned", None)

    def stopped(self, error: BaseException, line: str) -> None:
        """`line` says what `error` means. It goes into the log, after the traceback of what may be a fault of the code.

        What cannot be written is left as it is: the folder may be gone."""
        with suppress(Exception):  # a GPU that has failed gives no more numbers
            self.training_ends()
        if not is_first_process():
            return
        self._free_reserve()
        with suppress(OSError):
            if self._earlier_config is not None:
                self.run.write("config.yaml", self._earlier_config)
            if self._writes:
                explained = isinstance(error, SystemExit | KeyboardInterrupt | UserError)
                with self.run.log.open("a") as log:
                    log.writelines([*([] if explained else traceback.format_exception(error)), f"{line}\n"])
            self._close("interrupted" if isinstance(error, KeyboardInterrupt | SystemExit) else "failed", line)

    def _free_reserve(self) -> None:
        if self._reserve is not None:
            with suppress(OSError), self._reserve as reserve:
                reserve.truncate(0)  # the workers of a loader may hold it open, too
            self._reserve = None

    def _close(self, status: str, error: str | None) -> None:
        self._free_reserve()
        for name in ("best", "last"):
            if (self.run.checkpoints / f"{name}.ckpt").is_file():
                self.result[f"{name}_checkpoint"] = f"checkpoints/{name}.ckpt"
        self.result |= {"status": status, "error": error}
        self._write()

    def _write(self) -> None:
        if is_first_process() and self._writes:
            self.run.write_result(self.result)


def answer(number: int, run: RunFolder, words: Sequence[str] | None = None) -> str:
    """What is said of being told to stop. SLURM, where it wants its machine, is asked to queue the job again.

    `words` go on with the run; None: it is known what it is, and the words that resume it are enough.
    """
    told = f"told to stop by {signal.Signals(number).name}; python train.py"
    alone = not in_sweep() or is_job_of_sweep()  # a whole sweep would begin anew
    if number == signal.SIGUSR1 and is_first_process() and alone and requeue():
        return f"SLURM needs the machine; job {job_id()} is queued again, and goes on in {run}"
    if in_sweep():
        return f"{told} sweep.resume={RunFolder(run.path.parent)} goes on"
    goes_on = "goes on" if (run.checkpoints / "last.ckpt").is_file() else "begins anew: nothing was saved"
    return f"{told} {shlex.join(words or [f'resume={run}'])} {goes_on}"


def in_sweep() -> bool:
    """Whether this process trains a job of a sweep."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def say_interrupted(line: str) -> None:
    with suppress(OSError):  # who reads it may have been told to stop, too
        os.write(2, f"interrupted: {line}\n".encode())  # unbuffered, for who says it in a signal's handler


def answer_before_it_began(number: int, words: Sequence[str]) -> None:
    """Answer where a process that `words` began is told to stop while it starts, in the result of a new run too."""
    if not is_first_process():
        return
    resumed = [word.removeprefix("resume=") for word in words if word.startswith("resume=")]
    for run in map(RunFolder, resumed or CLAIMED):
        with suppress(UserError, OSError):
            if not (run.path / "config.yaml").is_file():
                run.discard_if_not_begun()
            result = RunFolder.open(run.path).result()
            if resumed or result["status"] == "running":
                line = answer(number, run, words if resumed else None)
                say_interrupted(line)
                if not resumed:
                    run.write_result(result | {"status": "interrupted", "error": line})
                return
    say_interrupted(f"told to stop by {signal.Signals(number).name}")
