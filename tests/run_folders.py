"""Run folders as a training leaves them, without the training."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CONFIG = {"format": 1, "name": "sine", "seed": 7, "optimizer": {"lr": 0.01}, "model": {"hidden_sizes": [10]}}
CHOICES = {"experiment": "sine", "optimizer": "sgd", "debug": None}


def write_run(
    folder: Path,
    words: Sequence[str],
    value: float | None = None,
    curve: Sequence[float | None] = (),
    config: Mapping[str, Any] = CONFIG,
    **result: Any,
) -> Path:
    """A finished run, but for what `result` says; `curve` is the monitored metric after each step."""
    (folder / ".hydra").mkdir(parents=True)
    whole = {
        "format": 1,
        "name": "sine",
        "started": "2026-11-21T19:03:00",
        "status": "finished",
        "monitor": {"name": "val/loss", "mode": "min", "value": value},
        "metrics": {} if value is None else {"val/loss": value, "test/mse": value / 2},
        "seconds": 2.0,
        "error": None,
    }
    (folder / "result.json").write_text(json.dumps(whole | result))
    # JSON is YAML, too.
    (folder / "config.yaml").write_text(json.dumps(config))
    (folder / ".hydra" / "overrides.yaml").write_text(json.dumps(list(words)))
    (folder / ".hydra" / "hydra.yaml").write_text(json.dumps({"hydra": {"runtime": {"choices": CHOICES}}}))
    rows = [f"{step},{'' if value is None else value}\n" for step, value in enumerate(curve, 1)]
    (folder / "metrics.csv").write_text("".join(["step,val/loss\n", *rows]))
    return folder


def write_sweep(folder: Path, jobs: Sequence[tuple[Sequence[str], float | None]]) -> Path:
    """A sweep of finished runs, each with its words and its value."""
    for number, (words, value) in enumerate(jobs):
        write_run(folder / str(number), words, value)
    (folder / "multirun.yaml").write_text("")
    return folder


def begun(sweep: Path, *words: str, **settings: Any) -> Path:
    """A sweep that knows its command and its settings."""
    plan = {"sweep": settings, "hydra": {"overrides": {"task": words}}}
    (sweep / "multirun.yaml").write_text(json.dumps(plan))
    return sweep


def as_trial(run: Path, values: Mapping[str, Any], space: Mapping[str, Any]) -> None:
    """Make a run a trial of a search in a space of Optuna's distributions."""
    from optuna.distributions import distribution_to_json

    described = {key: distribution_to_json(space[key]) for key in values}
    (run / "trial.json").write_text(json.dumps({"study": "x", "values": values, "space": described}))
