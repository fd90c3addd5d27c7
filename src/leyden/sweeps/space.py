"""The search space: what Hydra's choice(), range() and interval() mean to Optuna."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from leyden.errors import UserError
from leyden.sweeps.jobs import OURS, as_hydra_spells

EXAMPLE = "optimizer.lr='interval(1e-4,1e-1,log)'"


@dataclass(frozen=True)
class Space:
    """What is searched, by the key as a command has it, and the words of the command that stay as they are.

    A choice is among texts, as the command spells them.
    """

    searched: Mapping[str, BaseDistribution]
    fixed: Sequence[str]

    def words(self, values: Mapping[str, Any]) -> list[str]:
        """The words of one job."""
        return [*self.fixed, *(f"{key}={values[key]}" for key in self.searched)]

    def points(self) -> list[dict[str, Any]]:
        """All there are. Raises UserError where something has no end of values."""
        candidates = {key: list(_values(distribution)) for key, distribution in self.searched.items()}
        if endless := [key for key, values in candidates.items() if not values]:
            raise UserError(f"sweep.sampler=grid: {endless[0]} is an interval, which has no end of values")
        return [dict(zip(candidates, values, strict=True)) for values in product(*candidates.values())]

    def samples(self) -> list[dict[str, Any]]:
        """Points in which every choice comes up, and one value of all else."""
        candidates = {
            key: list(getattr(distribution, "choices", ())) or [distribution.low]  # type: ignore[attr-defined]
            for key, distribution in self.searched.items()
        }
        count = max(map(len, candidates.values()))
        return [{key: each[index % len(each)] for key, each in candidates.items()} for index in range(count)]

    def as_json(self) -> dict[str, str]:
        """By which one study is told from another, whatever the order of its keys."""
        return {key: distribution_to_json(self.searched[key]) for key in sorted(self.searched)}


def space_of(overrides: Sequence[Override], configured: Any) -> Space:
    """The space in the words of the command, and in `sweep.space` of the config, which they replace.

    Raises UserError for what cannot be searched, and where there is nothing to search.
    """
    searched: dict[str, BaseDistribution] = {}
    fixed: dict[str, str] = {}
    if not isinstance(configured, dict):
        raise UserError(
            f"sweep.space={configured}: must be keys and their values, such as {EXAMPLE.replace('=', ': ')}"
        )
    for key, value in configured.items():
        text = ",".join(map(str, value)) if isinstance(value, list) else value
        (override,) = OverridesParser.create().parse_overrides([as_hydra_spells(f"{key}={text}")])
        if not override.is_sweep_override():
            raise UserError(f"sweep.space: {key}: {text} is no choice(), range() or interval()")
        searched[override.get_key_element()] = _distribution(override)
    for override in overrides:
        key = override.get_key_element()
        for other in [other for other in searched if other.lstrip("+") == key.lstrip("+~")]:
            del searched[other]
        if override.is_sweep_override():
            searched[key] = _distribution(override)
        elif override.is_delete():
            fixed[key] = str(override.input_line)
        else:
            fixed[key] = f"{key}={override.get_value_element_as_str()}"
    if bad := [key for key in searched if key.split(".")[0] in OURS]:
        raise UserError(f"{bad[0]}: says how a sweep is run, and cannot be searched")
    if not searched:
        raise UserError(f"there is nothing to search: sweep=optuna takes a space, such as {EXAMPLE}")
    return Space(searched, list(fixed.values()))


def _distribution(override: Override) -> BaseDistribution:
    """Raises UserError for what holds no value, and for what Optuna refuses."""
    value, line = override.value(), override.input_line
    log = "log" in getattr(value, "tags", ())
    try:
        if isinstance(value, IntervalSweep):
            assert value.start is not None
            assert value.end is not None
            if isinstance(value.start, int) and isinstance(value.end, int):
                return IntDistribution(value.start, value.end, log=log)
            return FloatDistribution(value.start, value.end, log=log)
        if isinstance(value, RangeSweep) and (numbers := sorted(value.range())):
            if all(isinstance(number, int) for number in numbers):
                return IntDistribution(numbers[0], numbers[-1], log=log, step=abs(int(value.step)))
            step = abs(value.step)
            highest = Decimal(str(numbers[0])) + (len(numbers) - 1) * Decimal(str(step))  # 0.3, not 0.30000000000000004
            return FloatDistribution(numbers[0], float(highest), log=log, step=step)
    except ValueError as error:
        raise UserError(f"{line}: {error}") from error
    if isinstance(value, ChoiceSweep) and value.shuffle:
        raise UserError(f"{line}: a search draws in an order of its own; leave out shuffle()")
    texts = [] if isinstance(value, RangeSweep) else list(dict.fromkeys(override.sweep_string_iterator()))
    if not texts:
        raise UserError(f"{line}: there is no value to choose from")
    return CategoricalDistribution(texts)


def _values(distribution: BaseDistribution) -> Iterator[Any]:
    """All there are; none where there is no end of them."""
    if isinstance(distribution, CategoricalDistribution):
        yield from distribution.choices
    elif isinstance(distribution, IntDistribution):
        yield from range(distribution.low, distribution.high + 1, distribution.step)
    elif isinstance(distribution, FloatDistribution) and distribution.step:
        steps = round((distribution.high - distribution.low) / distribution.step)
        yield from (min(distribution.low + index * distribution.step, distribution.high) for index in range(steps + 1))
