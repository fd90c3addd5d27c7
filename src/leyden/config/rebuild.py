"""From a run folder back to the model and the data that it was trained with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from hydra import compose
from lightning.pytorch import LightningDataModule, LightningModule
from omegaconf import DictConfig, OmegaConf

from leyden.config.app import use_paths_of
from leyden.config.build import build_data, build_model
from leyden.config.origin import Origin
from leyden.config.signatures import problems, refuse
from leyden.config.targets import trusted_packages, trusted_project
from leyden.config.values import full_keys, value_of
from leyden.config.words import checked_words, composing
from leyden.errors import UserError
from leyden.nearest import did_you_mean
from leyden.project import project_folder
from leyden.runs.checkpoint import load_weights
from leyden.runs.folder import RunFolder
from leyden.training import TensorDataModule
from leyden.training.checkpoint_io import load_checkpoint


@dataclass
class Trained:
    """A model with the weights of `checkpoint`, and its data module, with the normalisation that was trained with."""

    run: RunFolder
    config: DictConfig
    checkpoint: Path
    model: LightningModule
    data: LightningDataModule


def rebuild(folder: str, checkpoint: str | None = None, overrides: Mapping[str, str] | None = None) -> Trained:
    """Build model and data from the run's own config, changed by `overrides`, and load the checkpoint's weights.

    Raises UserError for a folder that is no run, for overrides that do not fit, and for a checkpoint that is not there,
    is damaged, or belongs to another model.
    """
    run = RunFolder.open(folder)
    file = run.checkpoint_file(checkpoint)
    content = load_checkpoint(file)
    if "population" in content:
        raise UserError(f"{file} holds a whole population, which resume= trains on; its best member is checkpoint=best")
    if "seed" in content:  # of a population's best member
        overrides = {"seed": str(content["seed"])} | dict(overrides or {})
    config = changed(run, overrides) if overrides else run.config()
    if "targets" not in (overrides or {}):
        config.targets = trusted_packages()
    refuse_unfit(run, config, overrides or {})
    torch.set_num_threads(config.threads or torch.get_num_threads())
    model = build_model(config)
    load_weights(model, content, file)
    data = build_data(config)
    trained_on = str(run.config().data.get("_target_")).rpartition(".")[2]
    if isinstance(data, TensorDataModule) and trained_on in content:
        data.load_state_dict(content[trained_on])
    return Trained(run, config, file, model.eval(), data)


def changed(run: RunFolder, overrides: Mapping[str, str]) -> DictConfig:
    """The run's config with `key=value` set and `group=option` composed anew from the project's configs.

    It is the config before its interpolations were resolved, so that what refers to a key follows it.
    """
    use_paths_of(project_of(run))
    config = run.unresolved_config()
    for key, text in sorted(overrides.items(), key=lambda override: override[0].count(".")):  # groups first
        keys = full_keys(config)
        if key == "experiment":
            raise UserError(f"experiment={text}: {run} has its config already: leave experiment out")
        if key not in keys:
            raise UserError(f"{key}={text}: the run's config has no such key{did_you_mean(key, keys)}")
        value = value_of(key, text)
        if OmegaConf.is_dict(OmegaConf.select(config, key)) and isinstance(value, str):
            value = _composed_group(run, key, value)
        OmegaConf.update(config, key, value, merge=False)
    config.paths.run_dir = str(run.path.resolve())
    if "targets" not in overrides:
        config.targets = trusted_packages()
    return config


def refuse_unfit(run: RunFolder, config: DictConfig, overrides: Mapping[str, str]) -> None:
    """Raises UserError where what was set does not fit. What else the run has may not be needed here."""
    found = problems(config, Origin.of_run(run, [f"{key}={text}" for key, text in overrides.items()]))
    refuse([each for each in found if any(re.match(rf"{re.escape(key)}($|[.\[])", each.key) for key in overrides)])


def project_of(run: RunFolder) -> Path:
    """The project that the run's folder is in or, for runs that are kept elsewhere, our own."""
    try:
        return project_folder(run.path.resolve().parent)
    except UserError:
        return trusted_project()


def _composed_group(run: RunFolder, group: str, option: str) -> DictConfig:
    """What `group=option` would have been in this run."""
    configs = project_of(run) / "configs"
    if not (configs / group).is_dir():
        raise UserError(f"{group}={option}: {group} is no group with options, but holds keys: set one of them")
    words = checked_words([*run.overrides(without=[group]), f"{group}={option}"], configs)
    with composing(configs):
        composed = OmegaConf.to_container(compose("train", overrides=words)[group])
        chosen: DictConfig = OmegaConf.create(composed)  # type: ignore[assignment]
        return chosen
