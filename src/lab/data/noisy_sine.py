"""A wave on a slope, measured with noise."""

import torch
from torch import Tensor

from leyden.training import Splits, TensorDataModule
from leyden.training.augment import Standardize


def noiseless(x: Tensor) -> Tensor:
    """The curve that the points are scattered around."""
    return x + 2 * torch.sin(x)


class NoisySineDataModule(TensorDataModule):
    """Points y = x + 2 sin x + N(0, 1) for x on [0, 20]: inputs [N, 1] and targets [N, 1].

    The training points are evenly spaced, those of validation and test are drawn apart from them, anywhere in between;
    test batches bring the noiseless curve [N, 1] as a third tensor. With `standardize`, inputs are scaled to mean 0 and
    standard deviation 1 of the training points. Raises ValueError for a batch size below 1.
    """

    def __init__(self, batch_size: int = 1, points: int = 200, standardize: bool = True, seed: int = 0) -> None:
        super().__init__(batch_size, seed)
        self.points = points
        self.standardize = standardize

    def load(self) -> Splits:
        generator = torch.Generator().manual_seed(self.seed)
        train = torch.linspace(0, 20, self.points).unsqueeze(1)
        val, test = (20 * torch.rand(2, self.points, 1, generator=generator)).unbind()
        if self.standardize:
            self.normalize = Standardize(train.mean(0), train.std(0))

        def measure(x: Tensor) -> Tensor:
            return noiseless(x) + torch.randn(x.shape, generator=generator)

        return Splits((train, measure(train)), (val, measure(val)), (test, measure(test), noiseless(test)))
