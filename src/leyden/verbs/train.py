"""Train a model, test its best checkpoint, and leave all of it in the run folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.model_helpers import is_overridden
from omegaconf import DictConfig, OmegaConf

from leyden.config.build import build_all, build_data, build_model, build_trainer, seed_all
from leyden.config.explain import explain
from leyden.runs.checkpoint import check_hyperparameters, init_weights, load_checkpoint, load_weights
from leyden.runs.folder import RunFolder
from leyden.runs.processes import is_first_process
from leyden.runs.record import Record
from leyden.training.callbacks import Best
from leyden.training.loggers import TensorBoardLogger
from leyden.verbs import quiet  # noqa: F401
from leyden.verbs.children import joined_by_children
from leyden.verbs.opening import Opening
from leyden.verbs.report import print_report

ALL_THREADS = torch.get_num_threads()


def train(config: DictConfig, checkpoint: Path | None = None, begun: Callable[[], None] = lambda: None) -> float | None:
    """Train a model, in a new folder under logs/; the same as python train.py.

    Goes on from `checkpoint` where there is one, and calls `begun` when nothing can be wrong with the config any more.
    Returns the best value of the monitored metric, which is what a sweep compares; None if it was never logged. Raises
    UserError for what cannot be built.
    """
    OmegaConf.resolve(config)
    run = RunFolder(config.paths.run_dir)
    record = Record(run, config.name, config.monitor, run.result() if checkpoint else None)
    try:
        seed_all(config)
        torch.set_num_threads(config.threads or ALL_THREADS)
        data = build_data(config)
        model = build_model(config)
        check_hyperparameters(model)
        if checkpoint:
            load_weights(model, load_checkpoint(checkpoint), checkpoint)  # so that one that does not fit is refused now
        elif config.init_from:
            init_weights(model, config.init_from, strict=config.strict)
        with built_loggers(config) as loggers:
            best = Best(config.monitor.metric, config.monitor.mode)
            trainer = build_trainer(
                config,
                callbacks=[
                    *build_all(config, "callbacks"),
                    best,
                    Opening(config, run, [record.first_step, begun], checkpoint),
                ],
                logger=loggers or False,
                default_root_dir=str(run.path),
            )
            if is_first_process():
                record.keep_config()
                run.write_config(config)  # from which further processes build the same
            record.training_begins(trainer, best)
            with joined_by_children(trainer, run, checkpoint):
                trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
                record.training_ends()
                record.finished(test(trainer, model, data))
    except BaseException as error:
        record.stopped(error, explain(error))
        raise
    if is_first_process():
        print_report(run, record.result, config)
    value: float | None = record.result["monitor"]["value"]
    return value


@contextmanager
def built_loggers(config: DictConfig) -> Iterator[list[Logger]]:
    """The loggers, closed at the end."""
    loggers: list[Logger] = build_all(config, "logger")
    try:
        yield loggers
    finally:
        for logger in loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.close()


def test(trainer: Trainer, model: LightningModule, data: LightningDataModule) -> dict[str, float]:
    """Metrics of the best checkpoint, or of the last weights where none was kept; none where there is no test."""
    if not (is_overridden("test_step", model) and is_overridden("test_dataloader", data)):
        return {}
    best = getattr(trainer.checkpoint_callback, "best_model_path", None)
    metrics = trainer.test(model, datamodule=data, ckpt_path=best or None, weights_only=True, verbose=False)
    return {name: float(value) for part in metrics for name, value in part.items()}
