"""Learning-rate schedules that span a whole training, however long it is.

A factory with an argument `total_steps` (these, or torch's OneCycleLR) is given the number of optimizer steps and
stepped with each of them; any other scheduler of torch.optim is stepped once an epoch.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, OneCycleLR, StepLR

from leyden.errors import UserError


def is_told_steps(make_scheduler: Callable[..., Any]) -> bool | None:
    """Whether the factory waits for `total_steps`; None for one that has no such argument."""
    options = inspect.signature(make_scheduler).parameters
    if "total_steps" not in options:
        return None
    if all(name in options and isinstance(options[name].default, int) for name in ("epochs", "steps_per_epoch")):
        return False  # which is how OneCycleLR can be told, too
    return options["total_steps"].default in (inspect.Parameter.empty, None)


def refuse_no_period(scheduler: Any) -> None:
    """Raises UserError for one that would divide by zero in its first step."""
    for kind, name in ((StepLR, "step_size"), (CosineAnnealingLR, "T_max")):
        if isinstance(scheduler, kind) and getattr(scheduler, name) == 0:
            raise UserError(f"scheduler.{name}=0: must be 1 or more")


def refuse_more_steps(scheduler: OneCycleLR, steps: int) -> None:
    """Raises UserError where the training takes more steps than the scheduler was told: it would raise at the last."""
    if scheduler.total_steps < steps:
        raise UserError(
            f"scheduler.total_steps={scheduler.total_steps}: the training takes {steps} steps, and OneCycleLR "
            "refuses one more than it was told; leave total_steps (or epochs and steps_per_epoch) out, and it is told"
        )


def linear(optimizer: Optimizer, total_steps: int, warmup: float = 0.0) -> LambdaLR:
    """Rise to the optimizer's rate over the first `warmup` (a fraction) of all steps, then fall to 0 in a line."""
    return LambdaLR(optimizer, lambda step: _rise(step, total_steps, warmup) or 1 - _descent(step, total_steps, warmup))


def cosine(optimizer: Optimizer, total_steps: int, warmup: float = 0.0) -> LambdaLR:
    """As `linear`, falling along half a cosine (Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983)."""

    def factor(step: int) -> float:
        return _rise(step, total_steps, warmup) or (1 + math.cos(math.pi * _descent(step, total_steps, warmup))) / 2

    return LambdaLR(optimizer, factor)


def _rise(step: int, total_steps: int, warmup: float) -> float:
    """The factor during warm-up, above 0; 0 after it."""
    rising = warmup * total_steps
    return (step + 1) / (rising + 1) if step < rising else 0.0


def _descent(step: int, total_steps: int, warmup: float) -> float:
    """How much of the way down is done: 0 at the peak, 1 after the last step."""
    falling = total_steps * (1 - warmup)
    return min(1.0, (step - warmup * total_steps) / max(falling, 1.0))
