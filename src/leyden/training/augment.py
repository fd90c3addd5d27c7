"""Normalisation and augmentation of whole batches, on the device that the batch is on."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Standardize(nn.Module):
    """(inputs - mean) / std along dimension 1: features [N, D] or images [N, C, H, W]. uint8 images count as [0, 1]."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, inputs: Tensor) -> Tensor:
        scale = 255.0 if inputs.dtype == torch.uint8 else 1.0
        shape = (1, -1, *(1,) * (inputs.ndim - 2))
        numbers = inputs.to(inputs.dtype if inputs.is_floating_point() else self.mean.dtype, copy=True)
        return numbers.sub_((self.mean * scale).view(shape)).div_((self.std * scale).view(shape))


def random_flip(images: Tensor) -> Tensor:
    """Mirror each of the images [N, C, H, W] left to right with probability one half."""
    return _mirrored(images, torch.rand(len(images), device=images.device) < 0.5)


def flip_half(images: Tensor, seed: int) -> Tensor:
    """The images [N, C, H, W] as alternating flips begin: mirrored or not, as `seed` and an image's place decide.

    Mirror all of them in every other epoch, and no image is seen twice the same way round in two epochs that follow
    one another, as with random flips half of them are (Keller Jordan 2024, https://arxiv.org/abs/2404.00498).
    """
    generator = torch.Generator().manual_seed(seed)
    return _mirrored(images, torch.randint(2, (len(images),), generator=generator).bool().to(images.device))


def _mirrored(images: Tensor, which: Tensor) -> Tensor:
    return torch.where(which.view(-1, 1, 1, 1), images.flip(-1), images)


def random_shift(images: Tensor, pixels: int) -> Tensor:
    """Shift each of the images [N, C, H, W] by up to `pixels` both ways; the border is filled by reflection."""
    count, channels, *size = images.shape
    shifts = torch.randint(2 * pixels + 1, (2, count, 1), device=images.device) - pixels
    rows, columns = (
        _reflected(shift + torch.arange(length, device=images.device), length)
        for shift, length in zip(shifts, size, strict=True)
    )
    # One flat index for a pixel in all channels is five times as fast as an index for each dimension.
    places = (rows[:, :, None] * size[1] + columns[:, None, :]).view(count, 1, -1).expand(-1, channels, -1)
    return images.flatten(2).gather(2, places).view(images.shape)


def _reflected(indices: Tensor, length: int) -> Tensor:
    """Where the indices beyond both ends of [0, length) lie in a mirror that stands on the last pixel."""
    return length - 1 - (length - 1 - indices.abs()).abs()


# By name: how many pixels the views are shifted, up and to the left, and what each of these counts for.
VIEWS: dict[str, dict[int, float]] = {
    "none": {},
    "mirror": {0: 1.0},
    "mirror_shift": {0: 0.5, -1: 0.25, 1: 0.25},
}


def over_views(model: Callable[[Tensor], Tensor], images: Tensor, views: str) -> Tensor:
    """The mean of what the model answers to several views of each of the images [N, C, H, W] (test-time augmentation).

    `mirror` takes the image and its mirror image; `mirror_shift` takes both also shifted by one pixel along the
    diagonal, up and down, at half the weight in all; `none` takes the image alone. The views are those of airbench
    (https://arxiv.org/abs/2404.00498).
    """
    if not VIEWS[views]:
        return model(images)
    height, width = (torch.arange(length, device=images.device) for length in images.shape[2:])
    answers = []
    for pixels, weight in VIEWS[views].items():
        rows, columns = (_reflected(indices + pixels, len(indices)) for indices in (height, width))
        shifted = images[:, :, rows][:, :, :, columns]
        answers.append(weight / 2 * (model(shifted) + model(shifted.flip(-1))))
    return torch.stack(answers).sum(0)
