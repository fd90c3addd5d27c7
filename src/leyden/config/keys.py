"""The keys of a config that the engine reads itself, besides the groups that it builds and what is below `hydra`; and
the arguments that it gives itself."""

from collections.abc import Mapping
from typing import Any, Literal

# And the kind of each, as a type hint says it.
BY_THE_ENGINE: Mapping[str, Any] = {
    "name": str | int,
    "seed": int,
    "threads": int | None,
    "population": int | None,
    "rerun": str | None,
    "init_from": str | None,
    "strict": bool,
    "compile": bool,
    "targets": list[str],
    "guard": bool | Literal["on", "off"],
    "print_config": bool | Literal["changed", "all", "none"],
    "full_traceback": bool,
    "expected": Mapping[str, tuple[float, float]] | None,
    "monitor.metric": str,
    "monitor.mode": Literal["min", "max"],
    "paths.log_dir": str,
    "paths.run_dir": str,
    "sweep.resume": str | None,
    "sweep.fail_fast": bool,
    "sweep.max_failures": int | None,
    "sweep.n_trials": int,
    "sweep.space": Mapping[str, Any] | None,
    "sweep.sampler": str,
    "sweep.seed": int | None,
    "sweep.pruner": str,
    "sweep.objectives": Mapping[str, Literal["min", "max"]] | None,
    "sweep.storage": str | None,
}

FACTORIES = ("optimizer", "scheduler")  # their first argument is given when they are called
# What a trainer is given, whatever its config says, and the key that says it.
GIVEN = {"trainer.callbacks": "callbacks", "trainer.logger": "logger", "trainer.default_root_dir": "paths.run_dir"}
