"""Exclusive or: the four points that no straight line can part."""

import torch

from leyden.training import Splits, TensorDataModule


class XORDataModule(TensorDataModule):
    """All four points are training, validation and test data at once: inputs [4, 2] and answers [4, 1], 0 or 1.

    Raises ValueError for a batch size below 1.
    """

    feature_names = ("a", "b")
    class_names = ("0", "1")

    def __init__(self, batch_size: int = 1, seed: int = 0) -> None:
        super().__init__(batch_size, seed)

    def load(self) -> Splits:
        inputs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        points = inputs, (inputs[:, :1] != inputs[:, 1:]).float()
        return Splits(points, points, points)
