"""A curve through points: one number in, one number out."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torchmetrics import MeanSquaredError

from leyden.training import SupervisedModule
from leyden.training.layers import activation as activation_named


class MLPRegressor(SupervisedModule):
    """Fully connected layers of `hidden_sizes` with an activation after each, trained on the squared error.

    Raises ValueError for an `activation` that is not known.
    """

    def __init__(self, hidden_sizes: Sequence[int] = (10,), activation: str = "tanh") -> None:
        super().__init__(loss=nn.MSELoss(), metrics={"mse": MeanSquaredError()})
        self.save_hyperparameters()
        self.mse_noiseless = MeanSquaredError()
        layers: list[nn.Module] = []
        for size_in, size_out in pairwise([1, *hidden_sizes]):
            layers += [nn.Linear(size_in, size_out), activation_named(activation)]
        self.layers = nn.Sequential(*layers, nn.Linear([1, *hidden_sizes][-1], 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Predictions [N, 1] for inputs [N, 1]."""
        predictions: Tensor = self.layers(inputs)
        return predictions

    def test_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Reports `test/mse_noiseless` too where batches bring the curve without its noise as a third tensor [N, 1]."""
        predictions = super().test_step(batch, batch_idx)
        if len(batch) > 2:
            self.mse_noiseless.update(self(batch[0]), batch[2])
            self.log("test/mse_noiseless", self.mse_noiseless)
        return predictions
