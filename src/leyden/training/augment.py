"""Normalisation and augmentation of whole batches, on the device that the batch is on."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
        return (inputs - (self.mean * scale).view(shape)) / (self.std * scale).view(shape)


def random_flip(images: Tensor) -> Tensor:
    """Mirror each of the images [N, C, H, W] left to right with probability one half."""
    flipped = torch.rand(len(images), device=images.device) < 0.5
    return torch.where(flipped.view(-1, 1, 1, 1), images.flip(-1), images)


def random_shift(images: Tensor, pixels: int) -> Tensor:
    """Shift each of the images [N, C, H, W] by up to `pixels` both ways; the border is filled by reflection."""
    count, _, height, width = images.shape
    padded = F.pad(images, (pixels,) * 4, mode="reflect")
    rows, columns = torch.randint(2 * pixels + 1, (2, count, 1), device=images.device)
    rows = rows + torch.arange(height, device=images.device)
    columns = columns + torch.arange(width, device=images.device)
    # Advanced indices around the channel slice put the channels last in the result.
    shifted = padded[torch.arange(count, device=images.device).view(-1, 1, 1), :, rows[:, :, None], columns[:, None, :]]
    return shifted.permute(0, 3, 1, 2)
