"""Train a model, test its best checkpoint, and leave all of it in the run folder."""

import logging
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer, seed_everything
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
    """Returns the best value of the monitored metric, which is what a sweep compares; None if it was never logged.

    Raises UserError for what cannot be built.
    """
    run = RunFolder(config.paths.run_dir)
    record = Record(run, config.monitor.metric, config.monitor.mode)
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
        announce(config, model, trainer, run)
        record.training_begins(trainer)
        trainer.fit(model, datamodule=data)
        record.training_ends()
        record.finished(test(trainer, model, data))
    except BaseException as error:
        record.stopped(error, explain(error))
        raise
    if is_first_process():
        print_report(run, record.result, config.expected)
    value: float | None = record.result["monitor"]["value"]
    return value


def announce(config: DictConfig, model: LightningModule, trainer: Trainer, run: RunFolder) -> None:
    """Tell the loggers what one compares runs by, and the terminal what begins."""
    resolved: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    compared = {group: resolved[group] for group in ("seed", "model", "data", "optimizer", "scheduler", "trainer")}
    for logger in trainer.loggers:
        logger.log_hyperparams(compared)
    if is_first_process():
        count = sum(parameter.numel() for parameter in model.parameters())
        where = f"{trainer.world_size} x {trainer.strategy.root_device.type}"
        log.info(f"{config.name}: training {type(model).__name__} ({count:,} parameters) on {where}, in {run}")


def test(trainer: Trainer, model: LightningModule, data: LightningDataModule) -> dict[str, float]:
    """Metrics of the best checkpoint, or of the last weights where none was kept; none where there is no test."""
    if not (is_overridden("test_step", model) and is_overridden("test_dataloader", data)):
        return {}
    best = getattr(trainer.checkpoint_callback, "best_model_path", None)
    metrics = trainer.test(model, datamodule=data, ckpt_path=best or None, weights_only=True, verbose=False)
    return {name: float(value) for part in metrics for name, value in part.items()}
