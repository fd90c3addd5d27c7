"""What a sweep was begun to do, as its multirun.yaml has it."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from leyden.errors import UserError
from leyden.runs.folder import RunFolder
from leyden.runs.safe_yaml import load_yaml
from leyden.sweeps.jobs import as_hydra_spells, key_of, values_of


@dataclass(frozen=True)
class Plan:
    """`varied` are the keys that stand for several values, `log` those to be searched evenly in the logarithm;
    `objectives` says of each min or max, where the sweep names any; `jobs` is None where it is not known."""

    varied: Sequence[str] = ()
    log: Collection[str] = ()
    objectives: Mapping[str, str] = field(default_factory=dict)
    jobs: int | None = None


def plan_of(sweep: Path) -> Plan:
    """Raises what its parts raise where the file is damaged."""
    config = load_yaml(sweep / "multirun.yaml")
    space = OmegaConf.select(config, "sweep.space") or {}
    words = [*(as_hydra_spells(f"{key}={values}") for key, values in space.items()), *config.hydra.overrides.task]
    parsed = OverridesParser.create().parse_overrides(words)
    overrides = {override.get_key_element().lstrip("+~"): override for override in parsed}  # the command comes last
    varied = {key: override for key, override in overrides.items() if override.is_sweep_override()}
    objectives = OmegaConf.select(config, "sweep.objectives") or {}
    return Plan(
        varied=list(varied),
        log=[key for key, override in varied.items() if "log" in getattr(override.value(), "tags", ())],
        objectives={str(name): str(mode) for name, mode in objectives.items()},
        jobs=_jobs(config, list(varied.values())),
    )


def apart(run: RunFolder) -> dict[str, str]:
    """What sets a job of a sweep apart from the others: the values of its command that vary, by their keys.

    Nothing for a run that is no job of a sweep.
    """
    if not (run.path.parent / "multirun.yaml").is_file():
        return {}
    words = {key_of(word): word.partition("=")[2] for word in run.overrides()}
    return {key: words[key] for key in plan_of(run.path.parent).varied if key in words}


def _jobs(config: DictConfig, varied: Sequence[Override]) -> int | None:
    n_trials = OmegaConf.select(config, "sweep.n_trials")
    if n_trials is not None and config.sweep.sampler != "grid":
        return int(n_trials)
    try:
        points = math.prod(map(len, values_of(varied).values()))
    except (UserError, HydraException):  # only a sweep that runs knows the options that a glob() fits
        return None
    return points if n_trials is None else min(points, int(n_trials))
