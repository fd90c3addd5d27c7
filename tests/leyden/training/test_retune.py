from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import CosineAnnealingLR, MultiStepLR, OneCycleLR, ReduceLROnPlateau, StepLR

from leyden.errors import UserError
from leyden.training.retune import check_length, retune
from leyden.training.schedulers import linear


def rates_after_step_4(make_scheduler: Any, halved: bool) -> list[float]:
    """The learning rates of eight steps, of which the last four may be asked to begin at half the rate."""
    optimizer = SGD(nn.Linear(1, 1).parameters(), lr=0.8)
    scheduler, rates = make_scheduler(optimizer), []
    for step in range(8):
        if step == 4 and halved:
            retune(optimizer, scheduler, {"lr": 0.4}, {})
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates[4:]


@pytest.mark.parametrize(
    "make_scheduler",
    [
        partial(StepLR, step_size=3, gamma=0.5),
        partial(linear, total_steps=8),
        partial(OneCycleLR, max_lr=0.8, total_steps=8),
        partial(CosineAnnealingLR, T_max=8),
    ],
)
def test_half_the_rate_is_half_of_the_whole_schedule_from_there_on(make_scheduler: Any) -> None:
    halved, whole = (rates_after_step_4(make_scheduler, halved) for halved in (True, False))
    assert halved == pytest.approx([rate / 2 for rate in whole])


def test_a_rate_that_a_plateau_has_come_to_is_replaced() -> None:
    optimizer = SGD(nn.Linear(1, 1).parameters(), lr=0.8)
    scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    for loss in (1.0, 1.0):
        scheduler.step(loss)
    retune(optimizer, scheduler, {"lr": 0.3}, {"factor": 0.1})
    scheduler.step(1.0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.03)


def test_other_options_are_set_in_the_type_that_they_had() -> None:
    optimizer = Adam(nn.Linear(1, 1).parameters(), lr=0.8)
    scheduler = MultiStepLR(optimizer, milestones=[5])
    retune(optimizer, scheduler, {"betas": [0.5, 0.6], "weight_decay": 1, "not_an_option": 3}, {"milestones": [2, 2]})
    (group,) = optimizer.param_groups
    assert (group["betas"], group["weight_decay"]) == ((0.5, 0.6), 1)
    assert "not_an_option" not in group
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    assert group["lr"] == pytest.approx(0.008)


def test_a_schedule_with_an_end_is_not_stretched() -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.8)
    scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=8)
    check_length(scheduler, 8)
    check_length(None, 9)
    with pytest.raises(UserError, match="OneCycleLR was made for 8 steps, and cannot be stretched to 9"):
        check_length(scheduler, 9)
