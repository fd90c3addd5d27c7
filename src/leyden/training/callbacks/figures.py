"""Pictures of what a model has learned, drawn while it trains and when it was tested."""

import inspect
import logging
import math
import os
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from lightning.pytorch.utilities.model_helpers import is_overridden
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor

from leyden.faults import own_place
from leyden.files import write_whole
from leyden.training.callbacks.hooks import only_own_hooks
from leyden.training.exact import looking
from leyden.training.loggers import CSVLogger
from leyden.training.loggers.tensorboard import png_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from leyden.training.figures import Answers, History

log = logging.getLogger(__name__)

Draw = Callable[..., "Figure | None"]
GIVEN = ("answers", "history")  # to a function that has an argument of that name


@only_own_hooks
class Figures(Callback):
    """Draws `figures`, functions of (module, data module) by their names, as `dirpath`/NAME.png, and has every logger
    show them that has a `log_image`.

    They are drawn of the weights that were tested, when the test ends, or the training of what has no test. One that is
    marked `over_epochs` is drawn after epochs 1, 3, 10, 30, 100 ... too, as `dirpath`/NAME/epoch_000010.png.

    A function that also takes `answers` is given what the model says to the test, one that takes `history` what was
    logged in training; where that is not known (`history` is what a CSVLogger keeps), it is not called. None in place
    of a figure is not drawn. One that raises is a warning.

    Only the first process draws; random numbers and modes of the model are as they were. Models whose parameters are
    spread over processes are not drawn, and nothing is in a `fast_dev_run`.
    """

    def __init__(
        self,
        dirpath: str | os.PathLike[str],
        figures: Mapping[str, Draw],
        history: "History | None" = None,
    ) -> None:
        self.folder = Path(dirpath)
        self.figures = dict(figures)
        self.files: list[Path] = []  # that were written
        self._history = history
        self._answers: Answers | None = None  # asked for once in a drawing
        self._failed: set[str] = set()
        self._said: list[tuple[Tensor, Tensor]] = []  # predictions and targets of the test's batches

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        if is_spread(epoch) and epoch != trainer.max_epochs:
            marked = {name for name, draw in self.figures.items() if is_over_epochs(draw)}
            self._draw_all(trainer, pl_module, marked, epoch)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not (is_overridden("test_step", pl_module) and data and is_overridden("test_dataloader", data)):
            self._draw_all(trainer, pl_module, set(self.figures))

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._said = []

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps what is answered, so that the model need not be asked again; of several processes each has a part."""
        if trainer.world_size > 1 or dataloader_idx > 0:
            return
        match outputs, batch:
            case Tensor(), (_, Tensor() as targets, *_) if outputs.shape[:1] == targets.shape[:1] != ():
                self._said.append((outputs.float().cpu(), targets.cpu()))

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._draw_all(trainer, pl_module, set(self.figures))
        self._said = []

    def _draw_all(self, trainer: Trainer, module: LightningModule, names: set[str], epoch: int | None = None) -> None:
        shared = isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy)
        if trainer.fast_dev_run or not (trainer.is_global_zero and shared):  # type: ignore[attr-defined]
            return
        if not (wanted := {name: draw for name, draw in self.figures.items() if name in names - self._failed}):
            return
        import matplotlib  # takes half a second, where nothing else has imported it

        from leyden.training.figures import STYLE

        self._answers = None
        on_gpu = module.device.type == "cuda"
        with isolate_rng(on_gpu), looking(module), matplotlib.rc_context(STYLE):
            for name, draw in wanted.items():
                try:
                    self._draw(trainer, module, name, draw, epoch)
                except Exception as error:
                    self._failed.add(name)
                    reason = (str(error).splitlines() or [""])[0]
                    where = f" ({place})" if (place := own_place(error)) else ""
                    log.warning(f"figure {name} is left out{where}: {type(error).__name__}: {reason}")

    def _draw(self, trainer: Trainer, module: LightningModule, name: str, draw: Draw, epoch: int | None) -> None:
        from leyden.training.figures import pixels_of

        given = self._given(trainer, module, inspect.signature(draw).parameters)
        if None in given.values():
            return
        torch.manual_seed(0)  # what is drawn again looks the same
        figure = draw(module, trainer.datamodule, **given)  # type: ignore[attr-defined]
        if figure is None:
            return
        tested = "as tested" if is_over_epochs(draw) else ""
        pixels = pixels_of(figure, tested if epoch is None else f"epoch {epoch:,}")
        if pyplot := sys.modules.get("matplotlib.pyplot"):
            pyplot.close(figure)  # which keeps what it has made
        file = self.folder / (f"{name}.png" if epoch is None else f"{name}/epoch_{epoch:06}.png")
        for folder in (self.folder, file.parent):
            folder.mkdir(exist_ok=True)  # not what is above: a run that was deleted is not to come back
        write_whole(file, png_of(pixels))
        self.files.append(file)
        # As loggers count; what belongs to an epoch stands at its last step, as its metrics do.
        step = trainer.fit_loop.epoch_loop._batches_that_stepped - (epoch is not None)
        for logger in trainer.loggers:
            if hasattr(logger, "log_image"):
                logger.log_image(f"figures/{name}", [str(file)], step=step)

    def _given(self, trainer: Trainer, module: LightningModule, asked_for: Collection[str]) -> dict[str, Any]:
        """What a function asks for by its name; None where it is not known."""
        from leyden.training.figures import Answers, asked

        if "answers" in asked_for and self._answers is None:
            if self._said:
                self._answers = Answers(*map(torch.cat, zip(*self._said, strict=True)))
            else:
                self._answers = asked(module, trainer.datamodule)  # type: ignore[attr-defined]
        history = self._history
        if "history" in asked_for and history is None:
            history = next((each.history() for each in trainer.loggers if isinstance(each, CSVLogger)), None)
        known = dict(zip(GIVEN, (self._answers, history), strict=True))
        return {name: value for name, value in known.items() if name in asked_for}


def is_spread(epoch: int) -> bool:
    """Whether it is one of 1, 3, 10, 30, 100 ..., which are evenly spread on a logarithmic scale."""
    power = 10 ** int(math.log10(epoch) + 1e-9)
    return epoch in (power, 3 * power)


def is_over_epochs(draw: Draw) -> bool:
    return getattr(bare(draw), "over_epochs", False)


def bare(draw: Draw) -> Draw:
    """The function itself, without the arguments that a config gives it."""
    return getattr(draw, "func", draw)


def unknown_argument(draw: Draw) -> str | None:
    """One that the function must be given, beside module and data module, and that there is none of."""
    others = list(inspect.signature(draw).parameters.values())[2:]
    must = [
        each.name
        for each in others
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    return next((name for name in must if name not in GIVEN), None)
