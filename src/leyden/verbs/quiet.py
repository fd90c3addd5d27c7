"""Silences what libraries say to other people. Imported by the verbs that train or test."""

import logging
import os
import sys
import threading
import warnings
from pathlib import Path

import lightning.pytorch  # noqa: F401  (sets the level of its loggers when it is imported)
from rich.console import Console

for name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(name).setLevel(logging.WARNING)
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # compile=true on a machine without a GPU
logging.captureWarnings(True)
for said in (
    r".*LeafSpec.* is deprecated",
    r"The number of training batches .* is smaller than the logging interval",
    r"Checkpoint directory .* exists and is not empty",
    r"GPU available but not used",  # said where training begins
    r"The '\w+' does not have many workers",  # said of any number, unmeasured
    r"The `srun` command is available on your system but is not used",
    r"Total length of `TensorLoader` across ranks is zero",  # an empty split
):
    warnings.filterwarnings("ignore", message=said)


def _in_one_line(message: Warning | str, category: type[Warning], filename: str, lineno: int, line: object = "") -> str:
    return f"warning: {message} ({Path(filename).name}:{lineno})"


def _of_threads(error: threading.ExceptHookArgs) -> None:
    """TensorBoard's writing thread hands its error, a full disk say, to the next write: it need not be said twice."""
    if not (type(error.thread).__name__ == "_AsyncWriterThread" and issubclass(error.exc_type, OSError)):
        threading.__excepthook__(error)


def _read_enough(console: object = None) -> None:
    """Whoever reads what is printed has read enough, as `| head` does: training goes on, and prints into nothing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in [each for each in (1, 2) if os.path.sameopenfile(1, each)]:
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _of_handlers(handler: logging.Handler, record: logging.LogRecord) -> None:
    if isinstance(sys.exc_info()[1], BrokenPipeError):
        _read_enough()
    else:
        _say_error(handler, record)


_say_error = logging.Handler.handleError
logging.Handler.handleError = _of_handlers  # type: ignore[method-assign,assignment]
Console.on_broken_pipe = _read_enough  # type: ignore[method-assign,assignment]  # Rich's own ends the process
warnings.formatwarning = _in_one_line
threading.excepthook = _of_threads
