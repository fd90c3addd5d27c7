import pytest
import torch
from torchmetrics import MeanSquaredError

from leyden.training.metrics import EpochMetrics


@pytest.mark.parametrize("block", [1, 5, 2**20])
def test_the_values_are_those_of_all_samples_however_they_were_batched(block: int) -> None:
    predictions, targets = torch.arange(7.0).unsqueeze(1), torch.zeros(7, 1)
    metrics = EpochMetrics({"mse": MeanSquaredError()}, block)
    for part in (slice(0, 3), slice(3, 4), slice(4, 7)):
        loss = predictions[part].square().mean()
        metrics.update(loss, predictions[part], targets[part])
    values = metrics.compute()
    assert {name: float(value) for name, value in values.items()} == {
        "loss": 13.0,
        "mse": 13.0,
    }  # (0 + 1 + ... + 36) / 7


def test_a_loss_that_is_no_number_is_seen() -> None:
    metrics = EpochMetrics({})
    for loss in (1.0, float("nan")):
        metrics.update(torch.tensor(loss), torch.zeros(2), torch.zeros(2))
    assert metrics.compute()["loss"].isnan()


def test_no_more_than_256_batches_are_kept() -> None:
    metrics = EpochMetrics({})
    for _ in range(1000):
        metrics.update(torch.tensor(1.0), torch.zeros(1), torch.zeros(1))
        assert len(metrics._kept) < 256
    assert float(metrics.compute()["loss"]) == 1.0


def test_an_epoch_knows_nothing_of_the_one_before() -> None:
    metrics = EpochMetrics({})
    metrics.update(torch.tensor(5.0), torch.zeros(2), torch.zeros(2))
    metrics.reset()
    assert metrics.compute() == {}
    metrics.update(torch.tensor(3.0), torch.zeros(2), torch.zeros(2))
    assert float(metrics.compute()["loss"]) == 3.0
