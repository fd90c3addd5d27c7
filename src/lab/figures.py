"""Pictures of these models on these data: functions of (module, data module), named in configs/figures/."""

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from matplotlib.figure import Figure
from torch import Tensor, nn

from lab.data.noisy_sine import noiseless
from leyden.training import TensorDataModule, figures
from leyden.training.figures import Answers, History, ask, axes, figure_of, over_epochs


@over_epochs
def decision_surface(module: LightningModule, data: TensorDataModule) -> Figure:
    """The probability of the answer 1 over [-0.5, 1.5]², and the points of XOR."""
    assert data.splits is not None
    side = torch.linspace(-0.5, 1.5, 41)
    grid = torch.cartesian_prod(side, side)  # a in its rows, b in its columns
    surface = ask(module, data, grid).view(41, 41).T.numpy()
    drawn = axes(data.feature_names[0], data.feature_names[1])
    edge = 0.025  # half a cell
    extent = (-0.5 - edge, 1.5 + edge) * 2
    drawn.imshow(surface, vmin=0, vmax=1, interpolation="bilinear", origin="lower", extent=extent, aspect="auto")
    points, answers = data.splits.train[:2]
    for (a, b), answer in zip(points.tolist(), answers.flatten().tolist(), strict=True):
        ink, paper = ("white", "black") if answer else ("black", "white")
        box = {"facecolor": paper, "edgecolor": "grey", "boxstyle": "round"}
        drawn.text(a, b, f"{a:g} xor {b:g} = {answer:g}", color=ink, ha="center", va="center", bbox=box)
    drawn.set(xticks=(0, 1), yticks=(0, 1))
    # A colour bar says the same, and takes as long as all the rest.
    drawn.set_title("the model says: blue 0, grey 0.5, yellow 1", fontsize=11, loc="left", x=-0.1)
    return figure_of(drawn)


def loss_of_xor(module: LightningModule, data: LightningDataModule, history: History) -> Figure | None:
    """The loss, and the one of a model that parts the points by a straight line: it answers 0.5 to everything."""
    figure = figures.loss_curve(module, data, history)
    if figure is not None:
        figure.axes[0].axhline(0.25, color=figures.GREY, linestyle=":", label="a straight line: 0.25")
        figure.axes[0].legend()
    return figure


@over_epochs
def wave(module: LightningModule, data: TensorDataModule) -> Figure | None:
    """The fit, and the curve that the points are scattered around."""
    figure = figures.fit(module, data)
    if figure is not None:
        x = torch.linspace(0, 20, 300)
        figure.axes[0].plot(x, noiseless(x), "--", color=figures.ORANGE, label="without noise")
        figure.axes[0].legend()
    return figure


def augmented_images(module: LightningModule, data: TensorDataModule, rows: int = 5, columns: int = 8) -> Figure | None:
    """The first training images as the net sees them in the first epoch, but for the normalisation."""
    if not are_photographs(data):
        return None
    trainer, data.trainer = data.trainer, None  # some augmentations depend on the epoch
    try:
        images = next(iter(data.train_dataloader()))[0][: rows * columns]
        return sheet(data.augment(images), columns)
    finally:
        data.trainer = trainer


def first_filters(module: LightningModule, data: LightningDataModule, columns: int = 8) -> Figure | None:
    """The filters of the first convolution of colour images, each from its lowest weight to its highest."""
    layers = [each for each in module.modules() if isinstance(each, nn.Conv2d) and each.in_channels == 3]
    if not layers:
        return None
    filters = layers[0].weight.detach().cpu()
    low, high = filters.amin((1, 2, 3), keepdim=True), filters.amax((1, 2, 3), keepdim=True)
    scaled = (255 * (filters - low) / (high - low)).round().byte()
    return sheet(scaled.repeat_interleave(8, 2).repeat_interleave(8, 3), columns)


def mistakes(
    module: LightningModule, data: TensorDataModule, answers: Answers, rows: int = 5, columns: int = 5
) -> Figure | None:
    """The images of the test that the model is most sure of and wrong about: what it says, how surely, what it is."""
    probabilities = figures.class_probabilities(module, answers)
    if probabilities is None or data.splits is None or not are_photographs(data):
        return None
    surest, said = probabilities.max(1)
    wrong = (said != answers.targets).nonzero().flatten()
    worst = wrong[surest[wrong].argsort(descending=True, stable=True)][: rows * columns]
    if not len(worst):
        return None
    names = figures.class_names(data, probabilities.shape[1])
    rows = -(-len(worst) // columns)
    figure = Figure(figsize=(4.8, 1.28 * rows + 0.3))
    below = rows * 1.28 / (rows * 1.28 + 0.3)
    drawn = figure.add_axes((0.01, 0.01, 0.98, 0.98 * below))
    drawn.set_axis_off()
    figure.text(0.03, 0.99, "how sure the model is of what it says, and what it is", fontsize=10, va="top")
    for place, index in enumerate(worst.tolist()):
        x, y = place % columns, 1.36 * (place // columns)
        image = data.splits.test[0][index].permute(1, 2, 0).numpy()
        drawn.imshow(image, extent=(x + 0.08, x + 0.92, y + 0.84, y), interpolation="nearest")
        box = {"facecolor": "black", "edgecolor": "none", "pad": 1.5}
        drawn.text(x + 0.1, y + 0.03, f"{surest[index]:.0%}", color="white", fontsize=9, va="top", bbox=box)
        drawn.text(x + 0.5, y + 0.87, short(names[said[index]]), color=figures.RED, fontsize=9.5, ha="center", va="top")
        drawn.text(x + 0.5, y + 1.07, f"is {short(names[answers.targets[index]])}", fontsize=9, ha="center", va="top")
    drawn.set(xlim=(0, columns), ylim=(1.36 * rows, 0), aspect="auto")
    return figure


def short(name: str, most: int = 12) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def are_photographs(data: TensorDataModule) -> bool:
    """Whether the inputs are uint8 [N, 3, H, W]."""
    inputs = data.splits.train[0] if data.splits else torch.empty(0)
    return inputs.dtype == torch.uint8 and inputs.ndim == 4 and inputs.shape[1] == 3


def sheet(images: Tensor, columns: int, gap: int = 2) -> Figure:
    """Images uint8 [N, 3, H, W] side by side in rows, on white, and nothing else."""
    rows = -(-len(images) // columns)
    padded = nn.functional.pad(images, (gap, gap, gap, gap), value=255)
    _, _, height, width = padded.shape
    whole = padded.new_full((rows * columns, 3, height, width), 255)
    whole[: len(images)] = padded
    tiled = whole.view(rows, columns, 3, height, width).permute(0, 3, 1, 4, 2)
    figure = Figure(figsize=(4.8, 4.8 * rows / columns))
    drawn = figure.add_axes((0, 0, 1, 1))
    drawn.set_axis_off()
    drawn.imshow(tiled.reshape(rows * height, columns * width, 3).numpy(), interpolation="nearest")
    return figure
