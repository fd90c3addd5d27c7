"""What a training that goes on is to do otherwise, where its checkpoint has brought back what it did before."""

from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from leyden.errors import UserError

Options = Mapping[str, Any]  # of an optimizer or a scheduler, as the config has them, under dotted keys

CYCLED = "max_lr"  # in a group of parameters: the rate is that of the scheduler alone
RATES = ("lr", "initial_lr", "max_lr", "min_lr")


def retune(
    optimizer: Optimizer,
    scheduler: Any,
    before: tuple[Options, Options],
    now: tuple[Options, Options],
) -> None:
    """Set those options of optimizer and scheduler (None where there is none) that are not as they were.

    A rate changes in proportion: where a schedule has left half of it, half of the new one is taken from here on.
    Raises UserError for another optimizer or scheduler, whose state the old one's is not, and for an option that a
    scheduler does not take any more.
    """
    for name, was, is_now in zip(("optimizer", "scheduler"), before, now, strict=True):
        kinds = was.get("_target_"), is_now.get("_target_")
        if kinds[0] != kinds[1] and (name == "optimizer" or kinds[1]):
            raise UserError(
                f"{name}: the run was trained with {kinds[0] or 'none'}, and {kinds[1]} cannot go on from its state; "
                "init_from=RUN begins anew with its weights"
            )
    for group in optimizer.param_groups:
        if scheduler is None and before[1]:
            _leave_schedule(group, optimizer.defaults)
        for key, old, new in _changes(before[0], now[0]):
            if key == "lr":
                _scale(group, () if CYCLED in group else RATES, old, new)
            elif key in group:
                group[key] = _as(group[key], new)
    for key, old, new in _changes(before[1], now[1]) if scheduler is not None else ():
        if key == CYCLED:
            for group in optimizer.param_groups:
                _scale(group, RATES, old, new)
        elif hasattr(scheduler, key):
            setattr(scheduler, key, _as(getattr(scheduler, key), new))
        elif not isinstance(scheduler, LambdaLR):  # whose functions are not kept, but made anew
            raise UserError(f"scheduler.{key}={new}: {type(scheduler).__name__} cannot change it any more")
    if hasattr(scheduler, "base_lrs"):
        scheduler.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]


def check_length(scheduler: Any, steps: float) -> None:
    """Raises UserError for a scheduler that was made for fewer than `steps`, and cannot be stretched."""
    made_for = getattr(scheduler, "total_steps", None)
    if isinstance(made_for, int) and steps > made_for:
        raise UserError(
            f"scheduler: {type(scheduler).__name__} was made for {made_for:,} steps, and cannot be stretched to "
            f"{steps:,}; scheduler=none trains on at the rate optimizer.lr, init_from=RUN begins anew with its weights"
        )


def _changes(before: Options, now: Options) -> list[tuple[str, Any, Any]]:
    return [(key, before.get(key), value) for key, value in now.items() if before.get(key) != value]


def _scale(group: dict[str, Any], keys: tuple[str, ...], old: Any, new: float) -> None:
    for key in keys:
        if key in group:
            group[key] = group[key] * new / old if old and group[key] != old else new


def _leave_schedule(group: dict[str, Any], defaults: Options) -> None:
    """A group as if it had never had a schedule."""
    if CYCLED in group:
        group |= {key: defaults[key] for key in ("lr", "betas", "momentum") if key in defaults}
    else:
        group["lr"] = group.get("initial_lr", defaults.get("lr"))
    for key in RATES[1:]:
        group.pop(key, None)


def _as(before: Any, value: Any) -> Any:
    """The value in the type that it had: YAML has lists where torch has tuples."""
    return value if before is None or isinstance(value, type(before)) else type(before)(value)
