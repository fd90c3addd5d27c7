"""The smallest network that can tell XOR, and, without its hidden activation, cannot."""

from torch import Tensor, nn
from torchmetrics.classification import BinaryAccuracy

from leyden.training import SupervisedModule
from leyden.training.layers import activation


class SimpleNet(SupervisedModule):
    """A 2-4-1 network for two-valued answers, trained on the squared error (Rumelhart, Hinton and Williams 1986).

    Raises ValueError for a `hidden_activation` that is not known.
    """

    def __init__(self, hidden_features: int = 4, hidden_activation: str = "sigmoid") -> None:
        super().__init__(loss=nn.MSELoss(), metrics={"accuracy": BinaryAccuracy(validate_args=False)})
        self.save_hyperparameters()
        self.layers = nn.Sequential(
            nn.Linear(2, hidden_features),
            activation(hidden_activation),
            nn.Linear(hidden_features, 1),
            nn.Sigmoid(),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """The probability [N, 1] that the answer to inputs [N, 2] is 1."""
        probability: Tensor = self.layers(inputs)
        return probability
