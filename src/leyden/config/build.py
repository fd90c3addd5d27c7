"""From a config with `_target_`s to the objects that it describes."""

import copy
import functools
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from omegaconf import DictConfig, OmegaConf

from leyden.config.devices import absent_devices
from leyden.config.origin import Origin
from leyden.config.signatures import refuse
from leyden.config.targets import check_targets
from leyden.config.values import call_of_figure
from leyden.errors import UserError
from leyden.faults import own_place
from leyden.nearest import did_you_mean
from leyden.runs.checkpoint import check_hyperparameters, init_weights
from leyden.training import SupervisedModule
from leyden.training.callbacks.figures import GIVEN, unknown_argument
from leyden.training.checkpoint_io import DurableCheckpointIO
from leyden.training.metrics import without_metrics
from leyden.training.population import Population, PopulationData

log = logging.getLogger(__name__)

NOTHING = nullcontext()
COUNTS = ("check_val_every_n_epoch", "accumulate_grad_batches")  # what Lightning divides by
REFUSALS = (ValueError, TypeError, OSError, ImportError, MisconfigurationException)


def build(config: DictConfig, key: str, group: str = "", **arguments: Any) -> Any:
    """The object under `key`, or None where nothing is chosen. `group` is what `config` is a part of.

    Raises UserError where its class is not allowed, cannot be found, or refuses its arguments.
    """
    if not config.get(key):
        return None
    root: DictConfig = config._get_root()  # type: ignore[assignment]
    check_targets(config[key], f"{group}.{key}" if group else key, root.get("targets") or [])
    try:
        return instantiate(config[key], _convert_="all", **arguments)
    except InstantiationException as error:
        cause = error.__cause__
        if cause is None or isinstance(cause, REFUSALS):
            raise _refused(config, key, cause or error, group) from error
        raise cause from None


def build_all(config: DictConfig, key: str) -> list[Any]:
    """The objects in the group under `key`, in its order; entries set to null are left out."""
    group: DictConfig = config.get(key) or OmegaConf.create()
    return [build(group, str(name), key) for name in group if group[name] is not None]


def build_figures(config: DictConfig) -> dict[str, Callable[..., Any]]:
    """The functions in the group `figures`, by their names; entries set to null are left out.

    Raises UserError as `build` does, and for a name that no file can have.
    """
    values: Any = OmegaConf.to_container(config.get("figures") or OmegaConf.create(), resolve=True)
    calls = {name: call_of_figure(value) for name, value in values.items() if value is not None}
    for name in calls:
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise UserError(f"figures.{name}: is no name for a file: letters, numbers, _, - and . make one")
    targets = config.get("targets") or []
    built = build_all(OmegaConf.create({"targets": targets, "figures": calls}), "figures")
    for name, draw in zip(calls, built, strict=True):
        if unknown := unknown_argument(draw):
            known = f"module, data module and, by their names, {' and '.join(GIVEN)}"
            raise UserError(f"figures.{name}: a figure is given {known}: no {unknown}{did_you_mean(unknown, GIVEN)}")
    return dict(zip(calls, built, strict=True))


def build_factory(config: DictConfig, key: str) -> Callable[..., Any] | None:
    """What is under `key` with `_partial_`, or None where nothing is chosen. When called, it raises as `build` does."""
    factory = build(config, key)
    if factory is None:
        return None

    @functools.wraps(factory)
    def explained(*args: Any, **kwargs: Any) -> Any:
        try:
            return factory(*args, **kwargs)
        except REFUSALS as error:
            raise _refused(config, key, error) from error

    return explained


def seed_all(config: DictConfig) -> None:
    """Raises UserError for a seed that NumPy does not take."""
    seed = config.seed
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise UserError(f"seed={seed}: must be a whole number from 0 to {2**32 - 1}")
    seed_everything(seed, workers=True, verbose=False)


def build_data(config: DictConfig) -> LightningDataModule:
    data: LightningDataModule | None = build(config, "data")
    if data is None:
        raise UserError("data: nothing is chosen")
    return data


def build_model(config: DictConfig) -> LightningModule:
    """The model, with the config's optimizer and scheduler where it is one that takes them."""
    model: LightningModule | None = build(config, "model")
    if model is None:
        raise UserError("model: nothing is chosen")
    if isinstance(model, SupervisedModule):
        model.make_optimizer = build_factory(config, "optimizer") or model.make_optimizer
        model.make_scheduler = build_factory(config, "scheduler")
        model.plateau_metric = config.monitor.metric
    if config.compile:
        model.compile()
    return model


def build_initial(config: DictConfig) -> LightningModule:
    """The model as its training begins. Raises UserError where checkpoints of it could not be read again."""
    model = build_model(config)
    check_hyperparameters(model)
    if config.init_from:
        log.info(init_weights(model, config.init_from, strict=config.strict))
    return model


def build_population(config: DictConfig) -> tuple[PopulationData, Population]:
    """The members that `population` asks for, and their data: member k is what a run with `seed + k` would build.

    `config` is one whose interpolations are not resolved yet, so that what refers to the seed follows it. Raises
    UserError for what cannot be trained as one computation.
    """
    count, first = config.population, config.seed
    if not isinstance(count, int) or count < 1:
        raise UserError(f"population={count}: must be a whole number above 0, or null")
    if config.compile:
        raise UserError("population: compile=true is for one model; a population is recorded as one computation anyway")
    config, data = copy.deepcopy(config), PopulationData()

    def members() -> Iterator[SupervisedModule]:
        for config.seed in range(first, first + count):
            seed_all(config)
            if config.seed == first:
                own, model = build_data(config), build_initial(config)
            else:
                with without_metrics():
                    own, model = build_again(config, "data"), build_again(config, "model")
                if config.init_from:
                    init_weights(model, config.init_from, strict=config.strict)
            yield model  # type: ignore[misc]  # what is wrong with it is said before what is wrong with its data
            data.add(own)

    population = Population(members(), config.expected)
    return data, population


def build_again(config: DictConfig, key: str) -> Any:
    """As `build`, for what was built before with another seed; in a third of the time where its values are plain."""
    values: dict[str, Any] = OmegaConf.to_container(config[key], resolve=True)  # type: ignore[assignment]
    if str(values).count("'_") > 1:  # parts with a _target_ of their own, or more that Hydra is asked for
        return build(config, key)
    return get_object(values.pop("_target_"))(**values)


def build_trainer(config: DictConfig, **arguments: Any) -> Trainer:
    """The trainer, with further arguments of our own. Raises UserError where the machine has not what it asks for."""
    refuse(absent_devices(config, Origin(())))
    for name in COUNTS:
        if (value := config.trainer.get(name)) is not None and value < 1:
            raise UserError(f"trainer.{name}={value}: must be 1 or more")
    if os.environ.get("SLURM_NTASKS") == "1" and not TorchElasticEnvironment.detect():
        # Lightning takes any process of SLURM's for one of many; of one task, it has to start the others itself.
        arguments = {"plugins": LightningEnvironment()} | arguments
    if config.trainer.get("profiler") is None:
        arguments = {"profiler": NoProfiler()} | arguments
    trainer: Trainer = build(config, "trainer", **arguments)
    if isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy):  # others shard what they save
        trainer.strategy.checkpoint_io = DurableCheckpointIO()
    return trainer


def build_bare_trainer(config: DictConfig, *callbacks: Callback, **arguments: Any) -> Trainer:
    """One with these callbacks alone, which keeps nothing: no curves, no checkpoints."""
    shows = any(isinstance(callback, ProgressBar) for callback in callbacks)
    return build_trainer(
        config,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=shows,
        **arguments,
    )


class NoProfiler(PassThroughProfiler):
    """Lightning's own profiler of nothing makes two generators in every one of twenty places of a step."""

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]
        return NOTHING


def _refused(config: DictConfig, key: str, cause: Exception, group: str = "") -> UserError:
    where = f"{group}.{key}" if group else key
    place = own_place(cause) if isinstance(cause, TypeError) else None  # not of what somebody wrote to be read
    name = ", ".join(filter(None, (config[key].get("_target_", "no _target_"), place)))
    return UserError(f"{where} ({name}): {cause}")
