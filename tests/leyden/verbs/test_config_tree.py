"""What a config changes, against what Hydra composes."""

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import CONFIGS, EXPERIMENTS, PROJECT
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from leyden.completion.composed import default_choices
from leyden.config.app import use_paths_of
from leyden.verbs.config_tree import _differing, changes, choices_of


@pytest.fixture(autouse=True)
def hydra() -> Iterator[None]:
    use_paths_of(PROJECT)
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        yield


def composed(*words: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The config, the same resolved, and what was chosen, as Hydra has them."""
    whole = compose("train", overrides=[*words, "paths.run_dir=x"], return_hydra_config=True)
    choices = choices_of(whole.hydra, whole.hydra.overrides.task)
    config = compose("train", overrides=[*words, "paths.run_dir=x"])
    return OmegaConf.to_container(config), OmegaConf.to_container(config, resolve=True), choices


def changed(*words: str) -> dict[str, Any]:
    return changes(*composed(*words), CONFIGS)


def test_the_defaults_change_nothing() -> None:
    assert changed() == {}


def test_an_experiment_changes_what_its_page_says_and_what_the_command_adds() -> None:
    words = (
        "experiment=sine",
        "scheduler=cosine",
        "optimizer.lr=1e-3",
        "seed=3",
        "~trainer.precision",
        "+trainer.x=[1,a]",
    )
    assert changed(*words, "data.batch_size=1") == {
        "experiment": {"": "sine"},
        "name": "sine",
        "seed": 3,
        "threads": 1,
        "expected": {"test/mse_noiseless": [0.15, 0.30]},
        "model": {"": "mlp_regressor"},
        "data": {"": "noisy_sine"},
        "optimizer": {"": "sgd", "lr": 0.001},
        "scheduler": {"": "cosine"},
        "trainer": {"max_epochs": 1000, "check_val_every_n_epoch": 20, "x": [1, "a"], "precision": "removed"},
        "figures": {"": "sine"},
    }


def test_groups_combine_and_are_left_out() -> None:
    assert changed("callbacks=[early_stopping,lr_monitor]", "~optimizer", "logger=none") == {
        "optimizer": {"": "null"},
        "callbacks": {"": "early_stopping, lr_monitor"},
        "logger": {"": "none"},
    }


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_keys_are_those_that_hydra_would_compose_otherwise(experiment: str) -> None:
    config, resolved, choices = composed(f"experiment={experiment}", "debug=limit")
    groups = [group for group, names in default_choices(CONFIGS).items() if names and group in choices]
    before, _, _ = composed(*(f"{group}={choices[group]}" for group in groups if group not in ("hydra", "local")))
    found = changes(config, resolved, choices, CONFIGS)
    keys = {key: {name: each for name, each in value.items() if name} if isinstance(value, dict) else value
            for key, value in found.items()}  # fmt: skip
    assert {key: value for key, value in keys.items() if value != {}} == _differing(config, before, resolved)
