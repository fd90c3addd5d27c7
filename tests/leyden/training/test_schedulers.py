import pytest
import torch
from torch import nn

from leyden.training import schedulers


def rates(schedule: str, total_steps: int, warmup: float) -> list[float]:
    """The learning rate of every step, and the one that would come after the last."""
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    scheduler = getattr(schedulers, schedule)(optimizer, total_steps=total_steps, warmup=warmup)
    seen = []
    for _ in range(total_steps + 1):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_linear_rises_to_the_rate_and_falls_to_zero_in_equal_steps() -> None:
    assert rates("linear", 10, 0.2) == pytest.approx(
        [1 / 3, 2 / 3, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0]
    )


def test_linear_without_warmup_begins_at_the_rate() -> None:
    assert rates("linear", 4, 0.0) == pytest.approx([1, 0.75, 0.5, 0.25, 0])


def test_cosine_is_half_way_down_in_the_middle() -> None:
    half = 0.5**0.5
    assert rates("cosine", 4, 0.0) == pytest.approx([1, (1 + half) / 2, 0.5, (1 - half) / 2, 0])
