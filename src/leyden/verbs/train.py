"""Train a model, test its best checkpoint, and leave all of it in the run folder."""

import logging
import os
import platform
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.utilities.model_helpers import is_overridden
from omegaconf import DictConfig, OmegaConf

from leyden.config.build import build_all, build_data, build_model, build_trainer
from leyden.config.explain import explain
from leyden.errors import UserError
from leyden.runs.checkpoint import load_checkpoint
from leyden.runs.folder import RunFolder
from leyden.runs.processes import is_first_process
from leyden.runs.record import Record
from leyden.training import TensorDataModule
from leyden.training.loggers import CSVLogger, TensorBoardLogger
from leyden.verbs import quiet  # noqa: F401
from leyden.verbs.report import print_report

log = logging.getLogger(__name__)


ALL_THREADS = torch.get_num_threads()


def train(config: DictConfig, checkpoint: Path | None = None) -> float | None:
    """Train a model, in a new folder under logs/; the same as python train.py.

    Goes on from `checkpoint` where there is one. Returns the best value of the monitored metric, which is what a sweep
    compares; None if it was never logged. Raises UserError for what cannot be built.
    """
    run = RunFolder(config.paths.run_dir)
    record = Record(run, config.name, config.monitor, run.result() if checkpoint else None)
    try:
        if is_first_process():
            run.write_config(config)
        seed_everything(config.seed, workers=True, verbose=False)
        torch.set_num_threads(config.threads or ALL_THREADS)
        data = build_data(config)
        model = build_model(config)
        if config.init_from and not checkpoint:
            init_weights(model, config.init_from, strict=config.strict)
        trainer = build_trainer(
            config,
            callbacks=build_all(config, "callbacks"),
            logger=build_all(config, "logger") or False,
            default_root_dir=str(run.path),
        )
        if checkpoint:
            continue_curves(trainer, load_checkpoint(checkpoint)["global_step"])
        if is_first_process():
            announce(config, model, data, trainer, run)
        record.training_begins(trainer)
        trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        record.training_ends()
        record.finished(test(trainer, model, data))
    except BaseException as error:
        record.stopped(error, explain(error))
        raise
    if is_first_process():
        print_report(run, record.result, config.expected)
    value: float | None = record.result["monitor"]["value"]
    return value


def init_weights(model: LightningModule, source: str, *, strict: bool) -> None:
    """Take over the weights of a run folder's checkpoint, or of a checkpoint file.

    Raises UserError, naming the layers that do not match, unless not `strict`: then those keep their fresh weights.
    """
    file = RunFolder.open(source).checkpoint_file() if Path(source).is_dir() else Path(source)
    given, own = load_checkpoint(file)["state_dict"], model.state_dict()
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    others = sorted((given.keys() | own.keys()) - fitting.keys())
    if others and strict:
        raise UserError(
            f"init_from={source}: these layers do not match: {', '.join(others)}; strict=false leaves them out"
        )
    if not fitting:
        raise UserError(f"init_from={source}: no layer matches")
    model.load_state_dict(fitting, strict=False)
    log.info(f"{len(fitting)} of {len(own)} weights are taken from {file}")


def continue_curves(trainer: Trainer, step: int) -> None:
    """Drop what was logged from `step` on: it is about to be logged again."""
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger | CSVLogger):
            logger.continue_from(step)


def announce(
    config: DictConfig, model: LightningModule, data: LightningDataModule, trainer: Trainer, run: RunFolder
) -> None:
    """Tell the loggers what one compares runs by, the provenance what is used, and the terminal what begins."""
    resolved: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    compared = {group: resolved[group] for group in ("seed", "model", "data", "optimizer", "scheduler", "trainer")}
    for logger in trainer.loggers:
        logger.log_hyperparams(compared)
    run.write_provenance(
        {
            "data": fingerprint(data),
            "devices": device_names(trainer),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "threads": torch.get_num_threads(),
        }
    )
    count = sum(parameter.numel() for parameter in model.parameters())
    where = f"{trainer.world_size} x {trainer.strategy.root_device.type}"
    log.info(f"{config.name}: training {type(model).__name__} ({count:,} parameters) on {where}, in {run}")


def fingerprint(data: LightningDataModule) -> str | None:
    """A checksum of all data, where it is in memory and can be had at once."""
    if not isinstance(data, TensorDataModule):
        return None
    data.prepare_data()
    return data.fingerprint()


def device_names(trainer: Trainer) -> list[str]:
    if trainer.strategy.root_device.type == "cuda":
        return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return [f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"]


def test(trainer: Trainer, model: LightningModule, data: LightningDataModule) -> dict[str, float]:
    """Metrics of the best checkpoint, or of the last weights where none was kept; none where there is no test."""
    if not (is_overridden("test_step", model) and is_overridden("test_dataloader", data)):
        return {}
    best = getattr(trainer.checkpoint_callback, "best_model_path", None)
    metrics = trainer.test(model, datamodule=data, ckpt_path=best or None, weights_only=True, verbose=False)
    return {name: float(value) for part in metrics for name, value in part.items()}
