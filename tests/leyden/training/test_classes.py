import pytest
import torch
from torch import Tensor, nn
from torchmetrics import MeanSquaredError
from torchmetrics.classification import BinaryAccuracy

from leyden.training.classes import as_probabilities

LOGITS = torch.tensor([[0.0, 1.0], [2.0, 0.0]])
ONE = torch.tensor([[0.25], [1.0]])
BOTH = [[0.75, 0.25], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("predictions", "loss", "metrics", "expected"),
    [
        (LOGITS, nn.CrossEntropyLoss(), [], LOGITS.softmax(1).tolist()),
        (LOGITS.log_softmax(1), nn.NLLLoss(), [], LOGITS.softmax(1).tolist()),
        (ONE.logit(), nn.BCEWithLogitsLoss(), [], BOTH),
        (ONE.flatten(), nn.BCELoss(), [], BOTH),
        (ONE, nn.MSELoss(), [BinaryAccuracy()], BOTH),
        (ONE.logit(), nn.MSELoss(), [BinaryAccuracy()], BOTH),
    ],
)
def test_loss_and_metrics_say_what_predictions_are(
    predictions: Tensor, loss: nn.Module, metrics: list[object], expected: list[list[float]]
) -> None:
    found = as_probabilities(predictions, loss, metrics)
    assert found is not None
    assert found.tolist() == [pytest.approx(row, abs=1e-6) for row in expected]


@pytest.mark.parametrize(
    ("predictions", "loss"),
    [(ONE, nn.MSELoss()), (torch.rand(4, 3), nn.BCEWithLogitsLoss()), (torch.rand(4, 3, 8, 8), nn.CrossEntropyLoss())],
)
def test_numbers_several_labels_and_maps_are_no_classes(predictions: Tensor, loss: nn.Module) -> None:
    assert as_probabilities(predictions, loss, [MeanSquaredError()]) is None
