"""A small convolutional network for small photographs, built to learn fast."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from leyden.training import SupervisedModule, TensorDataModule
from leyden.training.augment import VIEWS, over_views
from leyden.training.layers import WhiteningConv


class CifarCNN(SupervisedModule):
    """A frozen whitening layer, three groups of two convolutions, and a linear head on their maxima.

    The whitening layer is set from the images of a TensorDataModule; with other data it keeps its random filters. For
    the first `whiten_epochs` it learns a bias; after them it learns nothing, which under DDP needs
    `trainer.strategy=ddp_find_unused_parameters_true`. `norm_scales` are what batch norm multiplies by, where it learns
    that, and `views` what is averaged over in evaluation (`over_views`).

    The shape follows Keller Jordan's airbench (https://arxiv.org/abs/2404.00498). With the default widths 295,000
    parameters.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128),
        classes: int = 10,
        label_smoothing: float = 0.2,
        whiten_epochs: int = 0,
        norm_scales: bool = True,
        views: str = "none",
    ) -> None:
        super().__init__(
            loss=nn.CrossEntropyLoss(label_smoothing=label_smoothing),
            metrics={"accuracy": MulticlassAccuracy(classes, average="micro", validate_args=False)},
        )
        if views not in VIEWS:
            raise ValueError(f"views={views}: choose one of {', '.join(VIEWS)}")
        self.save_hyperparameters()
        self.views = views
        self.whiten = WhiteningConv(channels=3, bias=whiten_epochs > 0)
        self.whiten_learns = whiten_epochs > 0
        sizes = [self.whiten.out_channels, *widths]
        self.groups = nn.Sequential(nn.GELU(), *(conv_group(*pair) for pair in pairwise(sizes)))
        for module in self.groups.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.requires_grad_(norm_scales)
        self.head = nn.Linear(widths[-1], classes, bias=False)
        self.to(memory_format=torch.channels_last)

    def on_fit_start(self) -> None:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if not self.whiten.fitted and isinstance(data, TensorDataModule) and data.splits and data.normalize:
            self.whiten.fit(data.normalize.to(self.device)(data.splits.train[0][:5000].to(self.device)))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self.whiten_learns = self.current_epoch < self.hparams["whiten_epochs"]

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, classes] for normalised images [N, 3, 32, 32]."""
        return self.logits(images) if self.training else over_views(self.logits, images, self.views)

    def logits(self, images: Tensor) -> Tensor:
        whitened = self.whiten(images.contiguous(memory_format=torch.channels_last))  # as its filters lie
        features = self.groups(whitened if self.whiten_learns else whitened.detach()).flatten(2).max(2).values
        logits: Tensor = self.head(features) / 9  # small at first, so that the head learns no faster than what feeds it
        return logits


def conv_group(channels_in: int, channels_out: int) -> nn.Sequential:
    """[N, channels_in, H, W] to [N, channels_out, H / 2, W / 2]."""
    return nn.Sequential(
        conv(channels_in, channels_out), nn.MaxPool2d(2), norm(channels_out), nn.GELU(),
        conv(channels_out, channels_out), norm(channels_out), nn.GELU(),
    )  # fmt: skip


def conv(channels_in: int, channels_out: int) -> nn.Conv2d:
    """A 3 x 3 convolution whose first filters begin by passing their inputs on (Dirac initialisation)."""
    layer = nn.Conv2d(channels_in, channels_out, 3, padding="same", bias=False)
    nn.init.dirac_(layer.weight[:channels_in])
    return layer


def norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, momentum=0.4)
