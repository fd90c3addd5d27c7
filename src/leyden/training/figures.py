"""Figures that any model has by its kind of output, and what figures of one's own are made with.

A figure is a function of (module, data module) that returns a matplotlib figure, or None where it has nothing to show
of them. One that also takes `answers` or `history` is given what the model says to the test, or what was logged.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import matplotlib
import numpy as np
import torch
from cycler import cycler
from lightning.pytorch import LightningDataModule, LightningModule
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from leyden.training.supervised import SupervisedModule
from leyden.training.tensor_data import TensorDataModule

Pixels = NDArray[np.uint8]  # [H, W, 3]
History = Mapping[str, tuple[Sequence[float], Sequence[float]]]  # by its name: after how many epochs, which value
D = TypeVar("D", bound=Callable[..., Figure | None])

# Okabe and Ito's colours, which colour-blind people tell apart (https://jfly.uni-koeln.de/color/).
BLUE, ORANGE, GREEN, PINK, SKY, RED = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
GREY = "#777777"
STYLE: Any = {  # 480 pixels wide: letters are still 11 pixels high where that is shown at 400
    "figure.figsize": (4.8, 3.6),
    "figure.dpi": 100,
    "figure.subplot.left": 0.18,
    "figure.subplot.right": 0.96,
    "figure.subplot.bottom": 0.16,
    "figure.subplot.top": 0.91,
    "font.size": 10,
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, PINK, SKY, RED]),
    "image.cmap": "cividis",
    "legend.frameon": False,
}
MOST_ASKED = 256  # inputs at a time: of a grid of points there are many, and the model may be wide
MOST_NUMBERS, MOST_NAMES = 12, 30  # classes, beyond which their cells, and their rows, are too small to be read


class Answers(NamedTuple):
    """What a model says [N, ...] to the inputs of the test, and the targets [N, ...]; on the CPU."""

    predictions: Tensor
    targets: Tensor


def over_epochs(draw: D) -> D:
    """Decorator of a figure that is drawn at epochs spread over training, too, and not only at its end."""
    draw.over_epochs = True  # type: ignore[attr-defined]
    return draw


def axes(x: str, y: str, size: tuple[float, float] | None = None) -> Axes:
    """What to draw on, in a figure of its own, `size` inches; `x` and `y` name what is shown, and its unit."""
    drawn = Figure(figsize=size).subplots()
    drawn.set(xlabel=x, ylabel=y)
    drawn.locator_params(nbins=5)  # a label costs as much time as a thousand points
    return drawn


def figure_of(drawn: Axes) -> Figure:
    """The figure that `axes` has made."""
    return drawn.get_figure(root=True)  # type: ignore[return-value]


@torch.no_grad()
def ask(module: LightningModule, data: TensorDataModule, inputs: Tensor) -> Tensor:
    """What the model says [N, ...] to inputs [N, ...] as the splits hold them; on the CPU."""
    said = []
    for part in torch.split(inputs, min(data.eval_batch_size, MOST_ASKED)):
        part = part.to(module.device)
        part = part if data.normalize is None else data.normalize.to(module.device)(part)
        part = part.to(module.dtype) if part.is_floating_point() else part
        said.append(module.forward(part).float().cpu())  # compiled anew for every shape, if it were called
    return torch.cat(said)


def asked(module: LightningModule, data: LightningDataModule) -> Answers | None:
    """The answers to the whole test; None where it is not known how the model is asked."""
    if not (isinstance(module, SupervisedModule) and isinstance(data, TensorDataModule) and data.splits):
        return None
    inputs, targets = data.splits.test[:2]
    return Answers(ask(module, data, inputs), targets) if len(inputs) else None


def loss_curve(module: LightningModule, data: LightningDataModule, history: History) -> Figure | None:
    """The loss of training and of validation over the epochs."""
    curves = {stage: history[f"{stage}/loss"] for stage in ("train", "val") if f"{stage}/loss" in history}
    if not curves:
        return None
    drawn = axes("epoch", f"loss ({type(getattr(module, 'loss', None)).__name__})")
    drawn.locator_params("x", integer=True)
    if max(epochs[-1] for epochs, _ in curves.values()) <= 1:
        drawn.set_xlim(0, 2)  # or its one epoch would be told in fractions
    for (stage, curve), line in zip(curves.items(), ("-", "--"), strict=False):
        drawn.plot(*curve, line, marker="." if len(curve[0]) < 20 else "", label=stage)
    values = [value for _, each in curves.values() for value in each]
    if min(values) > 0 and max(values) > 4 * min(values):
        drawn.set_yscale("log")
        drawn.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5), numticks=6))
        drawn.yaxis.set_major_formatter("{x:g}")
        drawn.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    drawn.legend()
    return figure_of(drawn)


@over_epochs
def fit(module: LightningModule, data: LightningDataModule) -> Figure | None:
    """Of a model of one number by one number: the points that it is trained on, and its curve through them."""
    if not (isinstance(module, SupervisedModule) and isinstance(data, TensorDataModule) and data.splits):
        return None
    inputs, targets = data.splits.train[:2]
    if data.input_shape != (1,) or not is_scalar(targets):
        return None
    low, high = float(inputs.min()), float(inputs.max())
    x = torch.linspace(low, high, 300, dtype=inputs.dtype).unsqueeze(1)
    curve = ask(module, data, x)
    if curve.numel() != len(x) or module.probabilities(curve) is not None:
        return None
    drawn = axes(name_of_feature(data), "target")
    drawn.plot(inputs.flatten(), targets.flatten(), ".", color=GREY, markersize=4, label="trained on")
    drawn.plot(x.flatten(), curve.flatten(), color=BLUE, linewidth=2, label="model")
    drawn.legend()
    return figure_of(drawn)


def residuals(module: LightningModule, data: LightningDataModule, answers: Answers) -> Figure | None:
    """Of a model of one number: by how much each target of the test is above what the model says."""
    said, targets = answers
    if not (isinstance(module, SupervisedModule) and is_scalar(targets) and said.shape == targets.shape):
        return None
    if module.probabilities(said) is not None:
        return None
    x, name = said, "prediction"
    if isinstance(data, TensorDataModule) and data.splits and data.input_shape == (1,):
        x, name = data.splits.test[0][: len(said)], name_of_feature(data)
    left = targets - said
    drawn = axes(name, "target - prediction")
    drawn.axhline(0, color=GREY, linewidth=1)
    drawn.plot(x.flatten(), left.flatten(), ".", color=BLUE, label=f"test: mean square {left.square().mean():.3g}")
    drawn.legend(loc="lower center", bbox_to_anchor=(0.5, 0.98))
    return figure_of(drawn)


def confusion_matrix(module: LightningModule, data: LightningDataModule, answers: Answers) -> Figure | None:
    """Of a classifier: how many of each class of the test are taken for which. A colour is a share of its row."""
    if (counts := confusions(module, answers)) is None:
        return None
    size = (4.8, 4.4) if len(counts) > 4 else None
    drawn = axes("predicted class", "true class", size)
    shares = (counts / counts.sum(1, keepdim=True).clamp(min=1)).numpy()
    drawn.imshow(shares, vmin=0, vmax=1)
    drawn.spines[:].set_visible(False)
    if len(counts) <= MOST_NUMBERS:
        for (row, column), share in np.ndenumerate(shares):
            if counts[row, column]:
                colour = "black" if share > 0.6 else "white"
                drawn.text(column, row, f"{counts[row, column]}", ha="center", va="center", color=colour, fontsize=9)
    if len(counts) <= MOST_NAMES:
        names = class_names(data, len(counts))
        drawn.set_xticks(range(len(counts)), names)
        drawn.set_yticks(range(len(counts)), names)
        drawn.tick_params(length=0)
        if len(counts) > 4:
            for label in drawn.get_xticklabels():
                label.set(rotation=45, ha="right", rotation_mode="anchor")
            figure_of(drawn).subplots_adjust(left=0.26, bottom=0.26, right=0.98, top=0.94)
    right = float(counts.diagonal().sum() / counts.sum())
    drawn.set_title(f"{right:.1%} of {int(counts.sum()):,} are right", fontsize=11)
    return figure_of(drawn)


def class_accuracy(module: LightningModule, data: LightningDataModule, answers: Answers) -> Figure | None:
    """Of a classifier: which share of each class of the test it names."""
    counts = confusions(module, answers)
    if counts is None or len(counts) > MOST_NAMES:
        return None
    shares = (100 * counts.diagonal() / counts.sum(1).clamp(min=1)).numpy()
    drawn = axes("named right, % of the class", "", (4.8, max(2.0, 0.8 + 0.3 * len(counts))))
    bars = drawn.barh(range(len(counts)), shares, color=BLUE)
    drawn.bar_label(bars, fmt="%.1f", padding=3, fontsize=9)
    drawn.set_yticks(range(len(counts)), class_names(data, len(counts)))
    drawn.set(xlim=(0, 112), xticks=range(0, 101, 25))
    drawn.invert_yaxis()
    figure = figure_of(drawn)
    inches = figure.get_size_inches()[1]
    figure.subplots_adjust(left=0.24, bottom=0.55 / inches, top=1 - 0.1 / inches)
    return figure


def is_scalar(targets: Tensor) -> bool:
    """Whether they are one number each: floats [N] or [N, 1]."""
    return targets.is_floating_point() and targets.numel() == len(targets)


def class_probabilities(module: LightningModule, answers: Answers) -> Tensor | None:
    """[N, classes] where the model is a classifier and each target is a class; else None."""
    if not isinstance(module, SupervisedModule) or answers.targets.numel() != len(answers.predictions):
        return None
    return module.probabilities(answers.predictions)


def confusions(module: LightningModule, answers: Answers) -> Tensor | None:
    """How often a class (row) is taken for a class (column) [classes, classes]; None for a model without classes."""
    if (probabilities := class_probabilities(module, answers)) is None:
        return None
    classes = probabilities.shape[1]
    pairs = answers.targets.flatten().long() * classes + probabilities.argmax(1)
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)


def class_names(data: LightningDataModule, count: int) -> list[str]:
    names = getattr(data, "class_names", ())
    return list(names) if len(names) == count else [str(index) for index in range(count)]


def name_of_feature(data: TensorDataModule) -> str:
    return data.feature_names[0] if data.feature_names else "input"


def pixels_of(figure: Figure, corner: str = "") -> Pixels:
    """The figure, drawn; `corner` is written into its upper right one."""
    if corner:
        figure.text(0.99, 0.99, corner, ha="right", va="top", fontsize=11)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    drawn: Pixels = np.asarray(canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]
    return drawn
