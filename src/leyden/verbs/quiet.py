"""Silences what libraries say to other people. Imported by the verbs that train or test."""

import logging
import threading
import warnings
from pathlib import Path

import lightning.pytorch  # noqa: F401  (sets the level of its loggers when it is imported)

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


warnings.formatwarning = _in_one_line
threading.excepthook = _of_threads
