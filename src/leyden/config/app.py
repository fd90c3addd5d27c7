"""The Hydra application: composes `configs/`, makes the run folder, calls the task once or, in a sweep, many times."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig

from leyden.config.explain import explain_composition
from leyden.errors import UserError


def project_folder(start: Path) -> Path:
    """The nearest folder, from `start` upwards, that holds `configs/train.yaml`. Raises UserError where none does."""
    for folder in (start, *start.parents):
        if (folder / "configs" / "train.yaml").is_file():
            return folder
    raise UserError(f"{start}: no configs/train.yaml here or in a folder above; call leyden inside a project")


def run(task: Callable[[DictConfig], Any], arguments: Sequence[str], project: Path) -> None:
    """Call `task` with the config that `arguments` compose; `--help`, `--cfg job` and the like are Hydra's to answer.

    Raises UserError for overrides that do not fit the configs.
    """
    # The command that Lightning starts again for each further DDP process.
    sys.argv = [str(project / "train.py"), *arguments]
    # Hydra then raises what went wrong instead of printing it, so that it is explained in one place, by us.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    configs = project.resolve() / "configs"
    try:
        hydra.main(config_path=str(configs), config_name="train", version_base="1.3")(task)()
    except ConfigCompositionException as error:
        raise explain_composition(error, arguments, configs) from error
