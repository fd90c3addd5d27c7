"""Draw the figures of a run again."""

import io
import os
from pathlib import Path

from lightning.pytorch.utilities.model_helpers import is_overridden
from PIL import Image
from rich.console import Console

from leyden.config.build import build_bare_trainer, build_figures
from leyden.config.rebuild import rebuild
from leyden.errors import UserError
from leyden.files import write_whole
from leyden.runs.folder import RunFolder
from leyden.terminal import show
from leyden.training.callbacks import Figures
from leyden.training.loggers import CSVLogger
from leyden.verbs import quiet  # noqa: F401

FRAME, LAST_FRAME = 700, 2500  # milliseconds


def figures(
    folder: str,
    *,
    checkpoint: str | None = None,
    animate: bool = False,
    **overrides: str,
) -> list[Path]:
    """Draw the figures of a run again, in its folder.

    They are those that the run's config names, of the weights that were tested after training; checkpoint= is best,
    last or the path of a file. figures=OPTION draws those of a file in configs/figures/, and data.KEY=VALUE draws on
    other data. animate=true makes a GIF of each figure that training has drawn at several epochs.
    """
    trained = rebuild(folder, checkpoint, overrides)
    if not (functions := build_figures(trained.config)):
        raise UserError(f"{folder}: its config names no figures; figures=default draws what any model has")
    if not os.access(trained.run.path, os.W_OK):
        raise UserError(f"{folder} cannot be written to: its figures have no place")
    if not is_overridden("test_step", trained.model) or not is_overridden("test_dataloader", trained.data):
        raise UserError(f"{folder}: figures are drawn of a test, and {type(trained.model).__name__} has none")
    drawing = Figures(trained.run.figures, functions, CSVLogger(trained.run.path).history())
    trainer = build_bare_trainer(trained.config, drawing, default_root_dir=folder)
    trainer.test(trained.model, datamodule=trained.data, verbose=False)
    files = [*drawing.files, *(animations(trained.run) if animate else ())]
    if trainer.is_global_zero:
        show(Console(), *(os.path.relpath(file) for file in files))
    return files


def animations(run: RunFolder) -> list[Path]:
    """A GIF of each figure that was drawn at several epochs, written whole. Raises UserError where none was."""
    files = []
    for last in sorted(run.figures.glob("*.png")):
        if frames := sorted(run.figures.glob(f"{last.stem}/epoch_*.png")):
            images = [Image.open(frame).convert("RGB") for frame in (*frames, last)]
            times = [FRAME] * len(frames) + [LAST_FRAME]
            animated = io.BytesIO()
            images[0].save(animated, "gif", save_all=True, append_images=images[1:], duration=times, loop=0)
            files.append(last.with_suffix(".gif"))
            write_whole(files[-1], animated.getvalue())
    if not files:
        raise UserError(f"animate=true: no figure of {run} was drawn at several epochs")
    return files
