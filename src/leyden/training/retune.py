"""What a training that goes on is to do otherwise, where its checkpoint has brought back what it did before."""

from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer

from leyden.errors import UserError

RATES = ("lr", "initial_lr", "max_lr", "min_lr")  # that schedulers keep beside each other in a group of parameters


def retune(optimizer: Optimizer, scheduler: Any, options: Mapping[str, Any], scheduling: Mapping[str, Any]) -> None:
    """Set `options` of the optimizer, and `scheduling` of its scheduler (None where there is none).

    A rate `lr` under a schedule is the one that the schedule is a multiple of: where half of it has been left, half of
    the new one is taken from here on.
    """
    for group in optimizer.param_groups:
        for key, value in options.items():
            peak = group.get("max_lr", group.get("initial_lr")) if key == "lr" and scheduler is not None else None
            if peak:
                group |= {rate: group[rate] * value / peak for rate in RATES if rate in group}
            elif key in group:
                group[key] = _as(group[key], value)
    if "lr" in options and hasattr(scheduler, "base_lrs"):
        scheduler.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
    for key, value in scheduling.items():
        if hasattr(scheduler, key):
            setattr(scheduler, key, _as(getattr(scheduler, key), value))


def check_length(scheduler: Any, steps: float) -> None:
    """Raises UserError for a scheduler that was made for fewer than `steps`, and cannot be stretched."""
    made_for = getattr(scheduler, "total_steps", None)
    if isinstance(made_for, int) and steps > made_for:
        raise UserError(
            f"scheduler: {type(scheduler).__name__} was made for {made_for:,} steps, and cannot be stretched to "
            f"{steps:,}; scheduler=none trains on at the rate optimizer.lr, init_from=RUN begins anew with its weights"
        )


def _as(before: Any, value: Any) -> Any:
    """The value in the type that it had: YAML has lists where torch has tuples."""
    return value if before is None or isinstance(value, type(before)) else type(before)(value)
