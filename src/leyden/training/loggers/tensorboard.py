"""Curves for TensorBoard, straight in the folder that is given."""

import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger as LightningTensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from numpy.typing import NDArray
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard.summary import hparams
from torch.utils.tensorboard.summary import text as text_summary

from leyden.files import sync
from leyden.training.loggers.of_runs import Params, Picture, RunLogger, Status, flat


class TensorBoardLogger(RunLogger, LightningTensorBoardLogger):
    """Lightning's, with events in `save_dir` itself, no `hparams.yaml`, and real metrics in the HPARAMS tab.

    Lightning writes hyper-parameters with a metric `hp_metric` of -1. Here they are written once, when they are first
    known, without naming metrics: TensorBoard then shows every scalar of the run beside them. That a run has succeeded
    is written at the end of its training; of one that has failed, and may go on, nothing is: its status is unknown.
    """

    def __init__(self, save_dir: str | os.PathLike[str]) -> None:
        super().__init__(str(save_dir), name="", version="", default_hp_metric=False)
        self._wrote_hyperparams = False
        self._ended: Summary | None = None  # to be written

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """All values in one event, which is four times as fast as one for each; groups of curves are Lightning's.

        But for the epoch, which Lightning adds to each: as a curve it says nothing, and stands before all others.
        """
        if any(isinstance(value, Mapping) for value in metrics.values()):
            super().log_metrics(metrics, step)
            return
        values = [
            Summary.Value(tag=name, simple_value=float(value)) for name, value in metrics.items() if name != "epoch"
        ]
        self._add(Summary(value=values), step)

    @rank_zero_only
    def log_image(self, key: str, images: Sequence[Picture], step: int | None = None) -> None:
        """As Lightning's other loggers take them; several get numbers."""
        for number, image in enumerate(images):
            png = Path(image).read_bytes() if isinstance(image, str) else png_of(image)
            width, height = Image.open(io.BytesIO(png)).size
            shown = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
            tag = key if len(images) == 1 else f"{key}_{number}"
            self._add(Summary(value=[Summary.Value(tag=tag, image=shown)]), step)

    @rank_zero_only
    def log_hyperparams(self, params: Params, metrics: dict[str, Any] | None = None, step: int | None = None) -> None:
        if self._wrote_hyperparams:
            return
        _, started, self._ended = hparams(_shown(params), {})  # type: ignore[no-untyped-call]
        self._add(started)
        self._wrote_hyperparams = True

    @rank_zero_only
    def log_text(self, key: str, text: str, step: int = 0) -> None:
        """Show `text`, which may be Markdown, under the name `key` in the Text tab."""
        shown = text_summary(key, text)  # type: ignore[no-untyped-call]
        shown.value[0].tag = key  # torch would add a name of its own
        self._add(shown, step)

    @rank_zero_only
    def continue_from(self, step: int) -> None:
        """Have TensorBoard hide what an earlier logger of this folder wrote from `step` on."""
        restart = Event(session_log=SessionLog(status=SessionLog.START))
        self.experiment._get_file_writer().add_event(restart, step)

    @rank_zero_only
    def save(self) -> None:
        if self.is_save_due():
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
            self._add(self._ended)
            self._ended = None
        self.experiment.flush()

    def close(self, status: Status) -> None:
        if self._experiment is not None:
            self._experiment.close()

    def _add(self, summary: Summary, step: int | None = None) -> None:
        self.experiment._get_file_writer().add_summary(summary, step)


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels [H, W, 3] as a file, compressed little: to compress them well would take as long as to draw them."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "png", compress_level=1)
    return file.getvalue()


def _shown(params: Params) -> dict[str, bool | int | float | str]:
    """With values that TensorBoard can show."""
    return {
        name: value if isinstance(value, bool | int | float) else str(value) for name, value in flat(params).items()
    }
