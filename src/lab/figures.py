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
    side = torch.linspace(-0.5, 1.5, 101)
    grid = torch.cartesian_prod(side, side)  # a in its rows, b in its columns
    surface = ask(module, data, grid).view(101, 101).T.numpy()
    drawn = axes(data.feature_names[0], data.feature_names[1])
    edge = 0.01  # half a pixel
    image = drawn.imshow(surface, vmin=0, vmax=1, origin="lower", extent=(-0.5 - edge, 1.5 + edge) * 2, aspect="auto")
    points, answers = data.splits.train[:2]
    for answer, mark, colour in ((0, "o", "white"), (1, "s", "black")):
        a, b = points[answers.flatten() == answer].T
        drawn.plot(a, b, mark, color=colour, markeredgecolor="grey", markersize=9, label=f"answer {answer}")
    drawn.set(xticks=(0, 1), yticks=(0, 1))
    drawn.legend(ncols=2, loc="lower left", bbox_to_anchor=(-0.02, 0.98), columnspacing=1, handletextpad=0.2)
    bar = figure_of(drawn).colorbar(image, ticks=(0, 0.5, 1), pad=0.03)
    bar.set_label("the model: probability of 1", labelpad=2)
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


def augmented_images(module: LightningModule, data: TensorDataModule, rows: int = 5, columns: int = 8) -> Figure:
    """The first training images as the net sees them in the first epoch, but for the normalisation."""
    trainer, data.trainer = data.trainer, None  # some augmentations depend on the epoch
    try:
        images = next(iter(data.train_dataloader()))[0][: rows * columns]
        images = data.augment(images)
    finally:
        data.trainer = trainer
    figure = Figure(figsize=(4.8, 4.8 * rows / columns))
    drawn = figure.add_axes((0, 0, 1, 1))
    drawn.set_axis_off()
    drawn.imshow(tiled(images, columns).numpy(), interpolation="nearest")
    return figure


def first_filters(module: LightningModule, data: LightningDataModule, columns: int = 8) -> Figure | None:
    """The filters of the first convolution of colour images, each from its lowest weight to its highest."""
    layers = [each for each in module.modules() if isinstance(each, nn.Conv2d) and each.in_channels == 3]
    if not layers:
        return None
    filters = layers[0].weight.detach().cpu()
    low, high = filters.amin((1, 2, 3), keepdim=True), filters.amax((1, 2, 3), keepdim=True)
    scaled = (255 * (filters - low) / (high - low)).byte()
    rows = -(-len(filters) // columns)
    figure = Figure(figsize=(4.8, 4.8 * rows / columns))
    drawn = figure.add_axes((0, 0, 1, 1))
    drawn.set_axis_off()
    drawn.imshow(
        tiled(scaled.repeat_interleave(8, 2).repeat_interleave(8, 3), columns).numpy(), interpolation="nearest"
    )
    return figure


def mistakes(
    module: LightningModule, data: TensorDataModule, answers: Answers, rows: int = 5, columns: int = 5
) -> Figure | None:
    """The images of the test that the model is most sure of and wrong about: what it says, how surely, what it is."""
    probabilities = figures.class_probabilities(module, answers)
    if probabilities is None or data.splits is None:
        return None
    surest, said = probabilities.max(1)
    wrong = (said != answers.targets).nonzero().flatten()
    worst = wrong[surest[wrong].argsort(descending=True, stable=True)][: rows * columns]
    if not len(worst):
        return None
    names = figures.class_names(data, probabilities.shape[1])
    drawn = Figure(figsize=(4.8, 1.28 * rows)).add_axes((0.01, 0.01, 0.98, 0.98))
    drawn.set_axis_off()
    for place, index in enumerate(worst.tolist()):
        x, y = place % columns, 1.36 * (place // columns)
        image = data.splits.test[0][index].permute(1, 2, 0).numpy()
        drawn.imshow(image, extent=(x + 0.08, x + 0.92, y + 0.84, y), interpolation="nearest")
        box = {"facecolor": "black", "edgecolor": "none", "pad": 1.5}
        drawn.text(x + 0.1, y + 0.03, f"{surest[index]:.0%}", color="white", fontsize=9, va="top", bbox=box)
        drawn.text(x + 0.5, y + 0.87, names[said[index]], color=figures.RED, fontsize=9.5, ha="center", va="top")
        drawn.text(x + 0.5, y + 1.07, f"is {names[answers.targets[index]]}", fontsize=9, ha="center", va="top")
    drawn.set(xlim=(0, columns), ylim=(1.36 * rows, 0), aspect="auto")
    return figure_of(drawn)


def tiled(images: Tensor, columns: int, gap: int = 2) -> Tensor:
    """Images uint8 [N, 3, H, W] side by side in rows, as one image [H', W', 3] on white."""
    rows = -(-len(images) // columns)
    padded = nn.functional.pad(images, (gap, gap, gap, gap), value=255)
    _, _, height, width = padded.shape
    whole = padded.new_full((rows * columns, 3, height, width), 255)
    whole[: len(images)] = padded
    return whole.view(rows, columns, 3, height, width).permute(0, 3, 1, 4, 2).reshape(rows * height, columns * width, 3)
