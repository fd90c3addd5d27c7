from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, MultiStepLR, OneCycleLR, ReduceLROnPlateau, StepLR

from leyden.errors import UserError
from leyden.training.retune import check_length, retune
from leyden.training.schedulers import linear

ADAM, STEP = {"_target_": "torch.optim.Adam", "lr": 0.8}, {"_target_": "torch.optim.lr_scheduler.StepLR", "gamma": 0.1}


def stepped(optimizer: Optimizer, scheduler: Any, steps: int) -> list[float]:
    """The learning rates of so many steps."""
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


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
    rates = []
    for rate in (0.8, 0.4):
        optimizer = SGD(nn.Linear(1, 1).parameters(), lr=0.8, momentum=0.9)
        scheduler = make_scheduler(optimizer)
        stepped(optimizer, scheduler, 4)
        cycled = ({"max_lr": 0.8}, {"max_lr": rate}) if isinstance(scheduler, OneCycleLR) else ({}, {})
        retune(optimizer, scheduler, ({"lr": 0.8}, cycled[0]), ({"lr": rate}, cycled[1]))
        rates.append(stepped(optimizer, scheduler, 4))
    assert rates[1] == pytest.approx([rate / 2 for rate in rates[0]])


def test_a_rate_that_a_plateau_has_come_to_changes_in_proportion() -> None:
    optimizer = SGD(nn.Linear(1, 1).parameters(), lr=0.8)
    scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    for loss in (1.0, 1.0):
        scheduler.step(loss)
    retune(optimizer, scheduler, ({"lr": 0.8}, {"factor": 0.5}), ({"lr": 0.2}, {"factor": 0.1}))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)
    scheduler.step(1.0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


def test_groups_of_parameters_keep_their_rates_in_proportion() -> None:
    layers = nn.Linear(1, 1), nn.Linear(1, 1)
    optimizer = SGD([{"params": layers[0].parameters(), "lr": 0.1}, {"params": layers[1].parameters()}], lr=0.001)
    retune(optimizer, None, ({"lr": 0.001}, {}), ({"lr": 0.002}, {}))
    assert [group["lr"] for group in optimizer.param_groups] == [0.2, 0.002]


def test_other_options_are_set_in_the_type_that_they_had() -> None:
    optimizer = Adam(nn.Linear(1, 1).parameters(), lr=0.8)
    scheduler = MultiStepLR(optimizer, milestones=[5])
    options = {"betas": [0.5, 0.6], "weight_decay": 1, "not_an_option": 3}
    retune(optimizer, scheduler, ({}, {}), (options, {"milestones": [2, 2]}))
    (group,) = optimizer.param_groups
    assert (group["betas"], group["weight_decay"]) == ((0.5, 0.6), 1)
    assert "not_an_option" not in group
    stepped(optimizer, scheduler, 2)
    assert group["lr"] == pytest.approx(0.008)


def test_without_its_cycle_an_optimizer_is_as_it_was_made() -> None:
    optimizer = Adam(nn.Linear(1, 1).parameters(), lr=0.01)
    stepped(optimizer, OneCycleLR(optimizer, max_lr=0.5, total_steps=8), 4)
    (group,) = optimizer.param_groups
    assert group["betas"] != (0.9, 0.999)
    retune(optimizer, None, (ADAM, {"_target_": "torch.optim.lr_scheduler.OneCycleLR"}), (ADAM, {}))
    assert (group["lr"], group["betas"]) == (0.01, (0.9, 0.999))


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (({"_target_": "torch.optim.SGD"}, STEP), "trained with torch.optim.Adam, and torch.optim.SGD cannot go on"),
        ((ADAM, {"_target_": "linear"}), "trained with torch.optim.lr_scheduler.StepLR, and linear cannot go on"),
        ((ADAM, STEP | {"total": 3}), "scheduler.total=3: StepLR cannot change it any more"),
    ],
)
def test_what_cannot_go_on_is_refused(now: Any, message: str) -> None:
    optimizer = Adam(nn.Linear(1, 1).parameters(), lr=0.8)
    with pytest.raises(UserError, match=message):
        retune(optimizer, StepLR(optimizer, 3), (ADAM, STEP), now)


def test_a_schedule_with_an_end_is_not_stretched() -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.8, momentum=0.9)
    scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=8)
    check_length(scheduler, 8)
    check_length(None, 9)
    with pytest.raises(UserError, match="OneCycleLR was made for 8 steps, and cannot be stretched to 9"):
        check_length(scheduler, 9)
