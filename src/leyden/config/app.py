"""The Hydra application: composes `configs/`, makes the run folder, calls the task once or, in a sweep, many times."""

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from leyden.config.interpolations import refuse_unresolved
from leyden.config.words import VERSION_BASE, checked_loader, checked_words, composing
from leyden.errors import UserError

HOME = "LEYDEN_PROJECT"  # set where a sweep runs its own copy of a project: relative paths are still the project's


def options_of(configs: Path, group: str) -> list[str]:
    return sorted(file.stem for file in (configs / group).glob("*.yaml"))


def use_paths_of(project: Path) -> None:
    """Let `${project:logs}` in the configs mean that folder of the project, wherever the command was typed."""
    project = project.resolve()

    def path(name: str) -> str:
        return name if Path.cwd() == project else str(project / name)

    OmegaConf.register_new_resolver("project", path, replace=True)


def run(task: Callable[[DictConfig], Any], arguments: Sequence[str], project: Path) -> None:
    """Call `task` with the config that `arguments` compose; `--help`, `--cfg job` and the like are Hydra's to answer.

    Raises WordsError for those that do not fit the configs.
    """
    configs = project.resolve() / "configs"
    use_paths_of(Path(os.environ.get(HOME, project)))
    sys.argv[1:] = checked_words(arguments, configs)  # where Hydra looks for them
    # Its plugin has a config of this name, too, with the same keys.
    warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/ray' is validated against ConfigStore schema")
    # Hydra then raises what went wrong instead of printing it, so that it is explained in one place, by us.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        with checked_loader():
            hydra.main(config_path=str(configs), config_name="train", version_base=VERSION_BASE)(task)()
    except OmegaConfBaseException:  # of --cfg job --resolve: a run tells itself what it cannot resolve
        from leyden.config.origin import Origin  # knows run folders, too

        origin = Origin.of_this_job()
        with composing(configs):
            refuse_unresolved(hydra.compose(origin.name, list(origin.words)), origin)
        raise
    except RuntimeError as error:
        if str(error).startswith("Unknown plugin class"):  # ours are known to commands that ask for a sweep
            raise UserError("hydra.mode=MULTIRUN in a config has no effect here: type -m") from error
        raise
