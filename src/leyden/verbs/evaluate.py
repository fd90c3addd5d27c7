"""Score a run again, from its own config and a checkpoint of its own."""

import os
from typing import Literal

from rich.console import Console

from leyden.config.build import build_bare_trainer
from leyden.config.rebuild import rebuild
from leyden.errors import UserError
from leyden.terminal import show
from leyden.training.callbacks import Progress
from leyden.verbs import quiet  # noqa: F401
from leyden.verbs.tables import metric_table


def evaluate(
    folder: str,
    *,
    split: Literal["test", "val"] = "test",
    checkpoint: str | None = None,
    **overrides: str,
) -> dict[str, float]:
    """Score a checkpoint of a run, from the run's own config.

    Prints a table, and writes it to evaluation.json in the run folder. checkpoint= is best, last or the path of a file;
    where it is not set it is the one that was tested after training: the best, or the last where none was validated. On
    the machine that trained the run the values then equal those in its result.json to the last digit. data=OPTION or
    data.KEY=VALUE scores on other data.
    """
    trained = rebuild(folder, checkpoint, overrides)
    if not os.access(trained.run.path, os.W_OK):
        raise UserError(f"{folder} cannot be written to: evaluation.json has no place")
    trainer = build_bare_trainer(trained.config, Progress(), default_root_dir=folder)
    score = trainer.test if split == "test" else trainer.validate
    parts = score(trained.model, datamodule=trained.data, verbose=False)
    metrics = {name: float(value) for part in parts for name, value in part.items()}
    if trainer.is_global_zero:
        told = {"split": split, "checkpoint": str(trained.checkpoint), "overrides": overrides, "metrics": metrics}
        trained.run.write_json("evaluation.json", told)
        known = {} if overrides else trained.config.expected or {}
        show(Console(), metric_table(metrics, known), str(trained.checkpoint))
    return metrics
