"""Where Hydra meets the run folder."""

import atexit
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from leyden.runs.folder import CLAIMED, RunFolder, claim
from leyden.runs.processes import is_first_process
from leyden.runs.provenance import provenance, uncommitted_changes
from leyden.runs.record import Record
from leyden.runs.slurm import folder_of_requeued_job, keep_folder_of_job


class KeepRunFolder(Callback):
    """Gives each run, and each sweep, a folder that no other has, and writes into it what it was made of.

    Of several processes that train together only the first has a folder; the others write nothing.
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        with read_write(config), open_dict(config):
            if is_first_process():
                words, log_dir = list(config.hydra.overrides.task), Path(config.paths.log_dir)
                if before := folder_of_requeued_job(log_dir, words):
                    config.hydra.run.dir, config.hydra.output_subdir = str(before), None  # its own record stays
                else:
                    config.hydra.run.dir = _claimed(config.hydra.run.dir)
                    keep_folder_of_job(log_dir, words, Path(config.hydra.run.dir))
            else:
                config.hydra.run.dir = _temporary_folder()
                config.hydra.output_subdir = None
                config.hydra.job_logging = {"version": 1, "root": {"handlers": []}, "disable_existing_loggers": False}

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        with read_write(config), open_dict(config):
            config.hydra.sweep.dir = config.sweep.resume or _claimed(config.hydra.sweep.dir)
            # Each job is composed anew: without this word it would go to the folder that was asked for.
            quoted = config.hydra.sweep.dir.replace("'", "\\'")
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        run = RunFolder(config.hydra.runtime.output_dir)
        if not is_first_process():
            return
        if (run.path / "config.yaml").is_file():  # it goes on
            return
        CLAIMED.add(run.path.absolute())
        (main,) = (source.path for source in config.hydra.runtime.config_sources if source.provider == "main")
        project = Path(urlparse(main).path).parent
        with suppress(OSError, OmegaConfBaseException):  # said when the training begins, and fails at them, too
            run.write_provenance(provenance(project, list(config.hydra.overrides.task), config.get("seed")))
            if patch := uncommitted_changes(project):
                run.write("uncommitted.patch", patch)
            Record(run, config.name, config.monitor)
            # Comes last: from here on the folder is a run, and goes on where it is killed.
            run.write_config(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]))


def _temporary_folder() -> str:
    """Where a process that has no run folder may write what nobody reads."""
    folder = tempfile.mkdtemp(prefix="leyden-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _claimed(folder: str) -> str:
    try:
        return str(claim(Path(folder)))
    except OSError:
        return folder  # Hydra turns what a callback raises into a warning, but fails at this folder itself
