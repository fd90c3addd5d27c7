"""Test a run again, from its own config and a checkpoint of its own."""

import torch
from rich.console import Console

from leyden.config.build import build_data, build_model, build_trainer
from leyden.errors import UserError
from leyden.runs.checkpoint import load_weights
from leyden.runs.folder import RunFolder
from leyden.verbs import quiet  # noqa: F401
from leyden.verbs.report import metric_table, show


def evaluate(folder: str, split: str = "test", checkpoint: str | None = None) -> dict[str, float]:
    """Prints and returns the metrics of a checkpoint (`best`, `last` or a file) on the run's split `test` or `val`.

    Where none is named it is the one that was tested after training: the best, or the last where none was validated. On
    the machine that trained the run they equal those in its `result.json` to the last digit. Raises UserError for a
    folder that is no run, and for a checkpoint that is not there, is damaged, or belongs to another model.
    """
    if split not in ("test", "val"):
        raise UserError(f"split={split}: choose test or val")
    run = RunFolder.open(folder)
    config = run.config()
    file = run.checkpoint_file(checkpoint)
    torch.set_num_threads(config.threads or torch.get_num_threads())
    model = build_model(config)
    load_weights(model, file)
    data = build_data(config)
    trainer = build_trainer(config, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    score = trainer.test if split == "test" else trainer.validate
    metrics = {name: value for part in score(model, datamodule=data, verbose=False) for name, value in part.items()}
    if trainer.is_global_zero:
        show(Console(), metric_table(metrics, config.expected or {}), str(file))
    return metrics
