"""Train a model, test its best checkpoint, and leave all of it in the run folder."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.model_helpers import is_overridden
from omegaconf import DictConfig

from leyden.config.build import (
    build_all,
    build_data,
    build_figures,
    build_initial,
    build_population,
    build_trainer,
    seed_all,
)
from leyden.config.devices import absent_devices
from leyden.config.explain import in_one_line
from leyden.config.extras import require_extras
from leyden.config.interpolations import resolve
from leyden.config.origin import Origin
from leyden.config.signatures import problems, refuse
from leyden.errors import UserError
from leyden.faults import asked_for, batch_at, is_out_of_memory
from leyden.runs.checkpoint import load_weights
from leyden.runs.folder import RunFolder
from leyden.runs.processes import is_first_process
from leyden.runs.record import Record, answer, in_sweep, say_interrupted
from leyden.signals import Stop, deaf, stop, told_to_stop
from leyden.sweeps.trial import pruner_of
from leyden.training.agreement import expected_in_vain, watched_in_vain, without_batches
from leyden.training.callbacks import Best, BestCheckpoint, Figures, Guard, NonFiniteError, Prune, Watched
from leyden.training.checkpoint_io import load_checkpoint
from leyden.training.loggers import RunLogger, Status
from leyden.training.memory import keep_freed_memory
from leyden.training.population import BestMembers, GuardMembers, Population, PopulationData, refuse_trainer
from leyden.verbs import quiet  # noqa: F401
from leyden.verbs.children import joined_by_children
from leyden.verbs.config_tree import config_tree
from leyden.verbs.predict import write_table
from leyden.verbs.run import Resumed, Run
from leyden.verbs.tables import print_report

ALL_THREADS = torch.get_num_threads()


def train(config: DictConfig, resumed: Resumed | None = None) -> float | None:
    """Train a model, in a new folder under logs/; the same as python train.py.

    Goes on where there is a `resumed` run. Returns the best value of the monitored metric, which is what a sweep
    compares; None if it was never logged. Raises UserError for what cannot be built, and Stop where the process is told
    to stop.
    """
    composed = copy.deepcopy(config)
    run = RunFolder(config.paths.run_dir)
    origin = Origin.of_this_job() if resumed is None else Origin.of_run(run, resumed.words)
    resolve(config, origin)
    with run.locked():
        record = Record(run, config.name, config.monitor, resumed.result if resumed else None)
        try:
            _train(config, composed, record, resumed, origin)
        except Stop as error:
            with deaf():  # SLURM ends with SIGTERM what it is asked to queue again
                line = answer(error.number, run, None if resumed is None or record.has_begun else resumed.words)
                record.stopped(error, line)
                if is_first_process():
                    say_interrupted(line)
            raise
        except BaseException as error:
            if told := said_of(error, run, config):
                record.stopped(error, told)
                raise UserError(told) from error
            if (batch := batch_at(error)) is not None:
                error.add_note(f"{config.model._target_} had a batch of {config.data._target_}: {shapes_in(batch)}")
            record.stopped(error, in_one_line(error))
            raise
    if is_first_process():
        print_report(run, record.result, config, on_terminal=not in_sweep())
    value: float | None = record.result["monitor"]["value"]
    return value


def _train(config: DictConfig, composed: DictConfig, record: Record, resumed: Resumed | None, origin: Origin) -> None:
    run, checkpoint = record.run, resumed.checkpoint if resumed else None
    refuse([*problems(config, origin), *absent_devices(config, origin)])
    require_extras(config)
    seed_all(config)
    use_threads(config.threads)
    data, model = build_parts(config, composed)
    if resumed and checkpoint:
        refuse_other_weights(model, checkpoint, resumed)
    with built_loggers(config) as loggers:
        callbacks, best = build_callbacks(config, model, data)
        refuse_what_is_not_logged(config, model, callbacks)
        watching = [] if in_sweep() else [Watched(config.monitor.metric)]
        pruning = [Prune(config.monitor.metric, report)] if (report := pruner_of(run)) else []
        tree = config_tree(config, composed, resumed.words if resumed else ()) if is_first_process() else None
        follow = Run(config, record, resumed, tree)
        followed = "enable_progress_bar" in config.trainer or any(isinstance(each, ProgressBar) for each in callbacks)
        trainer = build_trainer(
            config,
            **({} if followed else {"enable_progress_bar": False}),  # where ours was left out, Lightning adds its own
            callbacks=[*callbacks, *guards(config, model), *figures(config, model, run), *watching, *pruning, follow],
            logger=loggers or False,
            default_root_dir=str(run.path),
        )
        if isinstance(model, Population):
            refuse_trainer(trainer)
        if isinstance(trainer.accelerator, CPUAccelerator):
            keep_freed_memory()
        with told_to_stop(stop):
            if is_first_process():
                record.keep_config()
                run.write_config(config)  # from which further processes build the same
            record.training_begins(trainer, best)
            with summarized(follow, trainer), joined_by_children(trainer, run, checkpoint):
                trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
                if said := without_batches(trainer):
                    raise UserError(*said)
                record.training_ends()
                follow.continue_curves(trainer)  # also where all that is left to do is the test
                follow.begin(trainer)
                if any(callback.pruned for callback in pruning):
                    record.pruned()
                else:
                    record.finished(test(trainer, model, data, run, best))


def use_threads(count: int | None) -> None:
    if count is not None and count < 1:
        raise UserError(f"threads={count}: must be 1 or more, or null for all there are")
    torch.set_num_threads(count or ALL_THREADS)


def build_parts(config: DictConfig, composed: DictConfig) -> tuple[LightningDataModule, LightningModule]:
    if config.get("population") is None:
        return build_data(config), build_initial(config)
    return build_population(composed)


def refuse_other_weights(model: LightningModule, checkpoint: Path, resumed: Resumed) -> None:
    """Raises UserError where the checkpoint does not fit the model: before anything is written."""
    try:
        load_weights(model, load_checkpoint(checkpoint), checkpoint)
    except UserError as error:
        raise UserError("; ".join([*resumed.model_was, str(error)])) from error


def refuse_what_is_not_logged(config: DictConfig, model: LightningModule, callbacks: Sequence[Callback]) -> None:
    """Raises UserError where a metric is followed or expected that is never logged."""
    said = [] if in_sweep() else watched_in_vain(model, callbacks, config.monitor.metric)  # as its first job tells
    if said := [*said, *expected_in_vain(model, callbacks, config.expected or {})]:
        raise UserError(*said)


@contextmanager
def built_loggers(config: DictConfig) -> Iterator[list[Logger]]:
    """The loggers, closed at the end."""
    loggers: list[Logger] = build_all(config, "logger")
    status: Status = "failed"
    try:
        yield loggers
        status = "finished"
    except Stop:
        status = "interrupted"
        raise
    finally:
        for logger in loggers:
            if isinstance(logger, RunLogger):
                logger.close(status)


@contextmanager
def summarized(follow: Run, trainer: Trainer) -> Iterator[None]:
    """The loggers are told what the run came to, also where it was stopped."""
    record = follow.record
    try:
        yield
    except BaseException as error:
        with suppress(Exception):  # not in place of why it was stopped
            record.training_ends()
            follow.summarize(trainer, "interrupted" if isinstance(error, Stop) else "failed")
        raise
    follow.summarize(trainer, record.result["status"])


def build_callbacks(
    config: DictConfig, model: LightningModule, data: LightningDataModule
) -> tuple[list[Callback], Best]:
    """The callbacks, and which of them knows the best value of the monitored metric."""
    callbacks = build_all(config, "callbacks")
    watching = [callback for callback in callbacks if isinstance(callback, Best)]
    best = watching[0] if watching else Best(config.monitor.metric, config.monitor.mode)
    if isinstance(model, Population) and isinstance(data, PopulationData):
        file = best.file if isinstance(best, BestCheckpoint) else None
        best = BestMembers(model, data, config.seed, best.monitor, best.mode, file)
    return [best, *(callback for callback in callbacks if callback not in watching)], best


def test(
    trainer: Trainer, model: LightningModule, data: LightningDataModule, run: RunFolder, best: Best
) -> dict[str, float]:
    """Metrics of the best checkpoint, or of the last weights where none was kept; none where there is no test."""
    if isinstance(best, BestMembers):
        return test_members(trainer, best, run)
    if not (is_overridden("test_step", model) and is_overridden("test_dataloader", data)):
        return {}
    file = run.checkpoints / "best.ckpt"
    kept = trainer.strategy.broadcast(file if file.is_file() else None)  # only the first process knows the run folder
    metrics = trainer.test(model, datamodule=data, ckpt_path=kept, weights_only=True, verbose=False)
    return {name: float(value) for part in metrics for name, value in part.items()}


def test_members(trainer: Trainer, best: BestMembers, run: RunFolder) -> dict[str, float]:
    """The same for each member of a population, kept as members.csv: their means, and how many of them succeeded."""
    best.take_weights()
    (metrics,) = trainer.test(best.population, datamodule=best.data, verbose=False)
    write_table(run.path / "members.csv", best.table())
    return {name: float(value) for name, value in metrics.items()}


def guards(config: DictConfig, model: LightningModule) -> list[Guard]:
    """Raises UserError where `guard` is neither on nor off."""
    chosen = {True: "on", False: "off"}.get(config.get("guard", True), config.get("guard"))  # on and off in YAML
    if chosen not in ("on", "off"):
        raise UserError(f"guard={chosen}: choose one of on, off")
    if chosen == "off":
        return []
    folder = config.paths.run_dir
    return [GuardMembers(folder, config.seed) if isinstance(model, Population) else Guard(folder)]


def figures(config: DictConfig, model: LightningModule, run: RunFolder) -> list[Figures]:
    """None of a population; of a job of a sweep those that its command names. `leyden figures` draws them later."""
    asked_for = not in_sweep() or any(word.lstrip("+").startswith("figures") for word in run.overrides())
    functions = build_figures(config)
    return [Figures(run.figures, functions)] if functions and asked_for and not isinstance(model, Population) else []


def said_of(error: BaseException, run: RunFolder, config: DictConfig) -> str | None:
    """What went wrong with the numbers, the memory or the disk of a training, and what can be done now; None where it
    was something else."""
    if is_out_of_memory(error):
        precision = str(config.trainer.precision)
        return (
            f"too little memory{asked_for(error)} with data.batch_size={config.data.get('batch_size')} and "
            f"trainer.precision={precision}: try a smaller batch_size (with trainer.accumulate_grad_batches as many "
            f"samples still make a step){', or trainer.precision=bf16-mixed' if '32' in precision else ''}"
        )
    if isinstance(error, RuntimeError) and "does not require grad and does not have a grad_fn" in str(error):
        return (
            f"{config.model._target_}: no gradient leads from its loss to its parameters: are they all frozen, or is "
            "something on the way detached, under torch.no_grad, or not torch's?"
        )
    if not isinstance(error, NonFiniteError | OSError):
        return None
    if not run.path.is_dir():
        return f"{run} is gone: its training was stopped, and writes nothing more"
    if isinstance(error, NonFiniteError):
        return f"{error}; leyden replay {run} trains that step again, guard=off trains on"
    kept = (run.checkpoints / "last.ckpt").is_file()
    return f"{run}: {error}; python train.py resume={run} goes on" if kept else str(error)


def shapes_in(batch: Any) -> str:
    """Of the tensors of a batch: `[4, 2], [4, 1]`."""
    parts = batch.values() if isinstance(batch, Mapping) else [batch] if isinstance(batch, torch.Tensor) else batch
    return ", ".join(str(list(part.shape)) for part in parts if isinstance(part, torch.Tensor))
