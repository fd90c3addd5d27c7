"""TensorBoard and CSV loggers that write straight into the folder they are given."""

import csv
import io
import math
import os
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
from lightning.fabric.utilities.logger import _convert_params, _flatten_dict
from lightning.pytorch.loggers import Logger
from lightning.pytorch.loggers import TensorBoardLogger as LightningTensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from numpy.typing import NDArray
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard.summary import hparams

from leyden.files import sync, write_whole

Params = dict[str, Any] | Namespace

SAVE_SECONDS = 1.0  # Lightning has loggers save whenever something is logged: so seldom is enough


class TensorBoardLogger(LightningTensorBoardLogger):
    """Lightning's, with events in `save_dir` itself, no `hparams.yaml`, and real metrics in the HPARAMS tab.

    Lightning writes hyper-parameters with a metric `hp_metric` of -1. Here they are written once, when they are first
    known, without naming metrics: TensorBoard then shows every scalar of the run beside them. That a run has succeeded
    is written at the end of its training; of one that has failed, and may go on, nothing is: its status is unknown.
    """

    def __init__(self, save_dir: str | os.PathLike[str]) -> None:
        super().__init__(str(save_dir), name="", version="", default_hp_metric=False)
        self._wrote_hyperparams = False
        self._ended: Summary | None = None  # to be written
        self._next_save = 0.0

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """All values in one event, which is four times as fast as one for each; groups of curves are Lightning's."""
        if any(isinstance(value, Mapping) for value in metrics.values()):
            super().log_metrics(metrics, step)
            return
        values = [Summary.Value(tag=name, simple_value=float(value)) for name, value in metrics.items()]
        self.experiment._get_file_writer().add_summary(Summary(value=values), step)

    @rank_zero_only
    def log_image(self, key: str, images: Sequence[NDArray[np.uint8]], step: int | None = None) -> None:
        """Pictures [H, W, 3], as Lightning's other loggers take them; several get numbers."""
        for number, pixels in enumerate(images):
            height, width, _ = pixels.shape
            image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png_of(pixels))
            tag = key if len(images) == 1 else f"{key}_{number}"
            self.experiment._get_file_writer().add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)

    @rank_zero_only
    def log_hyperparams(self, params: Params, metrics: dict[str, Any] | None = None, step: int | None = None) -> None:
        if self._wrote_hyperparams:
            return
        _, started, self._ended = hparams(_flat(params), {})  # type: ignore[no-untyped-call]
        self.experiment._get_file_writer().add_summary(started)
        self._wrote_hyperparams = True

    @rank_zero_only
    def continue_from(self, step: int) -> None:
        """Have TensorBoard hide what an earlier logger of this folder wrote from `step` on."""
        restart = Event(session_log=SessionLog(status=SessionLog.START))
        self.experiment._get_file_writer().add_event(restart, step)

    @rank_zero_only
    def save(self) -> None:
        if (now := time.monotonic()) >= self._next_save:
            self._next_save = now + SAVE_SECONDS
            self.experiment.flush()

    @rank_zero_only
    def flush(self, before: float = math.inf) -> None:
        """Have all that was logged on the disk."""
        self.experiment.flush()
        for file in Path(self.save_dir).glob("events.out.tfevents.*"):
            sync(file)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Keeps the file open, so that the test after a training writes into the same one, until `close`."""
        if self._experiment is None:
            return
        if status == "success" and self._ended is not None:
            self.experiment._get_file_writer().add_summary(self._ended)
            self._ended = None
        self.experiment.flush()

    def close(self) -> None:
        if self._experiment is not None:
            self._experiment.close()


class CSVLogger(Logger):
    """The logged scalars as `metrics.csv` in `save_dir`: a row for each step, a column for each name.

    A name that is logged for the first time later on becomes a new column; a file that is there already is continued.
    """

    def __init__(self, save_dir: str | os.PathLike[str]) -> None:
        super().__init__()
        self.file = Path(save_dir) / "metrics.csv"
        self._columns: list[str] | None = None  # as they stand in the file; None until it is looked at
        self._rows: list[dict[str, Any]] = []
        self._next_save = 0.0

    @property
    def name(self) -> str:
        return ""

    @property
    def version(self) -> str:
        return ""

    @property
    def save_dir(self) -> str:
        return str(self.file.parent)

    @rank_zero_only
    def log_hyperparams(self, params: Params, *args: Any, **kwargs: Any) -> None:
        """A table of curves has no place for them: they stand in the run's config."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if not self._rows or self._rows[-1]["step"] != step:
            self._rows.append({"step": step})
        self._rows[-1].update({name: float(value) for name, value in metrics.items()})

    @rank_zero_only
    def save(self) -> None:
        if (now := time.monotonic()) >= self._next_save:
            self._next_save = now + SAVE_SECONDS
            self._write(len(self._rows) - 1)  # the last row may not be complete yet

    @rank_zero_only
    def flush(self, before: float = math.inf) -> None:
        """Write the rows of all steps before that one: nothing more is logged at them."""
        self._write(sum(row["step"] < before for row in self._rows))
        if self.file.exists():
            sync(self.file)

    def finalize(self, status: str) -> None:
        with suppress(OSError) if status == "failed" else nullcontext():  # not in place of why it failed
            self.flush()

    def _write(self, count: int) -> None:
        rows, self._rows = self._rows[:count], self._rows[count:]
        if not rows:
            return
        if self._columns is None:
            self._columns = self._read()[0]
        if all(name in self._columns for row in rows for name in row):
            with self.file.open("a", newline="") as file:
                csv.DictWriter(file, self._columns).writerows(rows)
        else:
            self._replace(self._read()[1] + rows)

    def history(self) -> dict[str, tuple[list[float], list[float]]]:
        """Of every name that was logged in training: after how many epochs, and which value."""
        found: dict[str, tuple[list[float], list[float]]] = {}
        for row in [*self._read()[1], *self._rows]:
            for name, value in row.items():
                if name not in ("step", "epoch") and value != "" and row.get("epoch", "") != "":
                    epochs, values = found.setdefault(name, ([], []))
                    epochs.append(float(row["epoch"]) + 1)
                    values.append(float(value))
        return found

    @rank_zero_only
    def continue_from(self, step: int) -> None:
        """Drop the rows that an earlier logger of this folder wrote from `step` on."""
        if self.file.exists():
            self._replace([row for row in self._read()[1] if int(row["step"]) < step])

    def _replace(self, rows: list[dict[str, Any]]) -> None:
        """Write the file anew, with a column for every name."""
        self._columns = list(dict.fromkeys(["step", *(name for row in rows for name in row)]))
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, self._columns)
        writer.writeheader()
        writer.writerows(rows)
        write_whole(self.file, table.getvalue().encode())

    def _read(self) -> tuple[list[str], list[dict[str, Any]]]:
        if not self.file.exists():
            return [], []
        whole = self.file.read_text().rpartition("\n")[0]  # without a row that a kill or a full disk has cut short
        reader = csv.DictReader(whole.splitlines())
        return list(reader.fieldnames or []), list(reader)


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels [H, W, 3] as a file, compressed little: to compress them well would take as long as to draw them."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "png", compress_level=1)
    return file.getvalue()


def _flat(params: Params) -> dict[str, bool | int | float | str]:
    """Nested parameters under dotted names, with values that TensorBoard can show."""
    flat = _flatten_dict(_convert_params(params), delimiter=".")
    return {name: value if isinstance(value, bool | int | float) else str(value) for name, value in flat.items()}
