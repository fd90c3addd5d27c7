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

    The training points are evenly spaced; those of validation and test lie between them, at one and at two thirds of
    the way. Test batches bring the noiseless curve [N, 1] as a third tensor. `noise_seed` draws the noise, `seed` only
    shuffles. With `standardize`, inputs are scaled to mean 0 and standard deviation 1 of the training points.

    Raises ValueError for a batch size below 1.
    """

    feature_names = ("x",)

    def __init__(
        self,
        batch_size: int = 1,
        points: int = 200,
        standardize: bool = True,
        noise_seed: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, seed)
        self.points = points
        self.standardize = standardize
        self.noise_seed = noise_seed

    def load(self) -> Splits:
        generator = torch.Generator().manual_seed(self.noise_seed)

        def measure(x: Tensor) -> Tensor:
            return noiseless(x) + torch.randn(x.shape, generator=generator)

        train = torch.linspace(0, 20, self.points).unsqueeze(1)
        val, test = (torch.lerp(train[:-1], train[1:], fraction) for fraction in (1 / 3, 2 / 3))
        if self.standardize:
            self.normalize = Standardize(train.mean(0), train.std(0))
        return Splits((train, measure(train)), (val, measure(val)), (test, measure(test), noiseless(test)))
