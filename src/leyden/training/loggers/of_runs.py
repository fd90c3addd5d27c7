"""What a run asks of its loggers, besides what Lightning does."""

import math
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from lightning.fabric.utilities.logger import _convert_params, _flatten_dict
from numpy.typing import NDArray

Params = dict[str, Any] | Namespace
Picture = str | NDArray[np.uint8]  # the path of a PNG file, or pixels [H, W, 3]
Status = Literal["finished", "failed", "interrupted"]

SAVE_SECONDS = 1.0


class RunLogger:
    """To be told, as a Lightning logger too, what becomes of the run that it logs. By default nothing is done.

    Pictures are given to every logger that has a method `log_image(key, images, step)`, as Lightning's WandbLogger has:
    paths of PNG files.
    """

    _next_save = 0.0

    def begin(self) -> None:
        """A first step was taken: from here on there is a run to tell of."""

    def continue_from(self, step: int) -> None:
        """The run goes on at `step`: what an earlier logger of it wrote from there on will be logged again."""

    def flush(self, before: float = math.inf) -> None:
        """A checkpoint will say that steps before that one are done: have what was logged at them on the disk."""

    def is_save_due(self) -> bool:
        """Lightning has loggers save whenever something is logged: once a second is enough."""
        if (now := time.monotonic()) < self._next_save:
            return False
        self._next_save = now + SAVE_SECONDS
        return True

    def log_summary(self, values: Mapping[str, str | float]) -> None:
        """What the run came to: where its checkpoints are, and its best monitored value."""

    def close(self, status: Status) -> None:
        """Nothing is logged any more."""


def name_of(folder: Path) -> str:
    """What a run in that folder is called: of a job of a sweep, the sweep is named, too."""
    return f"{folder.parent.name}/{folder.name}" if folder.name.isdigit() else folder.name


def flat(params: Params) -> dict[str, Any]:
    """Nested parameters under dotted names."""
    return _flatten_dict(_convert_params(params), delimiter=".")
