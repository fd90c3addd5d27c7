"""Train a model, test its best checkpoint, and leave all of it in the run folder."""

import logging
import time
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.model_helpers import is_overridden
from omegaconf import DictConfig, OmegaConf

from leyden.config.build import build_all, build_data, build_model, build_trainer
from leyden.config.explain import explain
from leyden.runs.folder import RunFolder
from leyden.runs.processes import is_first_process
from leyden.runs.record import Record
from leyden.verbs import quiet  # noqa: F401
from leyden.verbs.report import print_report

log = logging.getLogger(__name__)


ALL_THREADS = torch.get_num_threads()


def train(config: DictConfig) -> float | None:
    """Returns the best value of the monitored metric, which is what a sweep compares, or None where it was never logged.

    Raises UserError for what cannot be built.
    """
    run = RunFolder(config.paths.run_dir)
    record = Record(run, config.monitor.metric, config.monitor.mode)
    trainer = None
    try:
        if is_first_process():
            run.write_config(config)
        seed_everything(config.seed, workers=True, verbose=False)
        torch.set_num_threads(config.threads or ALL_THREADS)
        data = build_data(config)
        model = build_model(config)
        trainer = build_trainer(
            config,
            callbacks=build_all(config, "callbacks"),
            logger=build_all(config, "logger") or False,
            default_root_dir=str(run.path),
        )
        for logger in trainer.loggers:
            logger.log_hyperparams(hyperparameters(config))
        if is_first_process():
            log.info(opening_line(config, model, trainer, run))
        began = time.monotonic()
        trainer.fit(model, datamodule=data)
        record.trained(trainer, time.monotonic() - began, best_value(trainer))
        record.finished(test(trainer, model, data))
    except BaseException as error:
        if trainer is not None:
            record.trained(trainer, time.monotonic() - began, best_value(trainer))
        record.stopped(error, explain(error))
        raise
    if is_first_process():
        print_report(run, record.result, OmegaConf.to_container(config.expected))
    return best_value(trainer)


def opening_line(config: DictConfig, model: LightningModule, trainer: Trainer, run: RunFolder) -> str:
    count = sum(parameter.numel() for parameter in model.parameters())
    device = trainer.strategy.root_device
    return f"{config.name}: training {type(model).__name__} ({count:,} parameters) on {device}, in {run}"


def hyperparameters(config: DictConfig) -> dict[str, Any]:
    """What one compares runs by."""
    resolved: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return {group: resolved[group] for group in ("seed", "model", "data", "optimizer", "scheduler", "trainer")}


def test(trainer: Trainer, model: LightningModule, data: LightningDataModule) -> dict[str, float]:
    """Metrics of the best checkpoint, or of the last weights where none was kept; none where there is no test."""
    if not (is_overridden("test_step", model) and is_overridden("test_dataloader", data)):
        return {}
    checkpoint = trainer.checkpoint_callback
    best = checkpoint.best_model_path if isinstance(checkpoint, ModelCheckpoint) else ""
    metrics = trainer.test(model, datamodule=data, ckpt_path=best or None, weights_only=True, verbose=False)
    return {name: float(value) for part in metrics for name, value in part.items()}


def best_value(trainer: Trainer) -> float | None:
    """The best value of the monitored metric so far, as the checkpoint callback has seen it."""
    checkpoint = trainer.checkpoint_callback
    score = checkpoint.best_model_score if isinstance(checkpoint, ModelCheckpoint) else None
    return None if score is None else float(score)
