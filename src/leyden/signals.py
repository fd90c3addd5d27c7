"""Being told to stop: by Ctrl-C, by a scheduler's SIGTERM, by SLURM's SIGUSR1 before it takes the machine away."""

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class Stop(SystemExit):
    """Raised where the process was told to stop. Ends it with status 128 + the signal's number, as a shell counts."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


@contextmanager
def told_to_stop(handle: Callable[[int], None]) -> Iterator[None]:
    """While this lasts, `handle` gets the numbers of signals that mean: stop. Does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _leave_terminal()
        handle(number)

    heard = [number for number in stop_signals() if signal.getsignal(number) is not signal.SIG_IGN]  # nohup, `&`
    before = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def deaf() -> Iterator[None]:
    """While this lasts, being told to stop once more changes nothing."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in stop_signals()}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _leave_terminal() -> None:
    """What is written to a terminal that was closed raises an error."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        with suppress(OSError):
            if stat.S_ISCHR(os.fstat(stream).st_mode):
                os.dup2(nowhere, stream)


def stop_signals() -> list[signal.Signals]:
    """SIGHUP comes where a terminal is closed. SIGUSR1 means to stop under SLURM alone, where `sbatch
    --signal=USR1@60` sends it 60 s before the end."""
    always = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    return [*always, *([signal.SIGUSR1] if os.environ.get("SLURM_JOB_ID") else [])]


def stop(number: int) -> None:
    """Stop at once."""
    raise Stop(number)
