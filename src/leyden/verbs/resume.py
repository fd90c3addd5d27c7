"""Go on with a run in its own folder, as if it had never stopped."""

import os
from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import configure_log
from omegaconf import DictConfig, OmegaConf

from leyden.config.rebuild import changed
from leyden.errors import UserError
from leyden.runs.folder import RunFolder
from leyden.runs.processes import is_first_process
from leyden.verbs.train import train


def resume(folder: str, words: Sequence[str]) -> None:
    """Train on from the run's last checkpoint, with the run's own config, changed by `words` such as
    trainer.max_epochs=2000.

    Raises UserError for a folder that is no run, or that holds no checkpoint to go on from.
    """
    run = RunFolder.open(folder)
    if bad := [word for word in words if "=" not in word]:
        raise UserError(f"{bad[0]}: resume=DIR takes KEY=VALUE, such as trainer.max_epochs=2000")
    config = changed(run, dict(word.split("=", 1) for word in words))
    checkpoint = run.checkpoint_file("last")
    result = run.result()
    if result["status"] == "finished" and (not words or _is_done(result["epochs"], result["steps"], config.trainer)):
        print(f"{run} is finished ({result['epochs']:,} epochs): nothing to do; trainer.max_epochs=... trains on")
        return
    if not os.access(run.path, os.W_OK):
        raise UserError(f"{run} cannot be written to")
    if is_first_process():
        log_again(run)
    composed = OmegaConf.to_yaml(config)
    train(config, checkpoint, begun=lambda: run.keep_overrides(composed, words))


def join(folder: str, words: Sequence[str]) -> None:
    """Train as one more process of a run that another process has begun (see `leyden.verbs.children`)."""
    run = RunFolder.open(folder)
    checkpoint = next((Path(word.partition("=")[2]) for word in words if word.startswith("checkpoint=")), None)
    train(run.config(), checkpoint)


def _is_done(epochs: int, steps: int, trainer: DictConfig) -> bool:
    return (0 < trainer.max_steps <= steps) or (trainer.max_epochs is not None and 0 <= trainer.max_epochs <= epochs)


def log_again(run: RunFolder) -> None:
    """Let the log go on where it ended, in the form that the run's Hydra config gives it."""
    file = run.path / ".hydra" / "hydra.yaml"
    if file.is_file():
        hydra = OmegaConf.load(file)
        hydra.hydra.runtime.output_dir = str(run.path.resolve())
        configure_log(hydra.hydra.job_logging, hydra.hydra.verbose)
