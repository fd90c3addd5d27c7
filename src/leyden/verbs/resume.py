"""Go on with a run in its own folder, as if it had never stopped."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import configure_log
from omegaconf import DictConfig, OmegaConf

from leyden.config.origin import Origin
from leyden.config.rebuild import changed
from leyden.config.signatures import problems, refuse
from leyden.config.targets import trusted_project
from leyden.config.values import by_full_key
from leyden.errors import UserError
from leyden.runs.folder import RunFolder
from leyden.runs.processes import is_first_process
from leyden.runs.provenance import provenance
from leyden.training.checkpoint_io import load_checkpoint
from leyden.verbs.run import Resumed
from leyden.verbs.train import train

log = logging.getLogger(__name__)


def resume(folder: str, words: Sequence[str], targets: Sequence[str] | None = None) -> float | None:
    """Train on from the run's last checkpoint, with the run's own config, changed by `words` such as
    trainer.max_epochs=2000. `targets` are the packages that a _target_ may name; None: those of our own project.
    Returns the best value of the monitored metric.

    Raises UserError for a folder that is no run, whose checkpoints are lost or damaged, or that another process trains.
    """
    run = RunFolder.open(folder)
    if bad := [word for word in words if "=" not in word]:
        raise UserError(f"{bad[0]}: resume=DIR takes KEY=VALUE, such as trainer.max_epochs=2000")
    config = changed(run, dict(word.split("=", 1) for word in words))
    if targets is not None:
        config.targets = list(targets)
    refuse(problems(config, Origin.of_run(run, words)))
    result = run.result()
    if missing := {"status", "started", "steps", "epochs", "last_checkpoint"} - result.keys():
        raise UserError(f"{run.path / 'result.json'} is damaged: it does not say {', '.join(sorted(missing))}")
    status, epochs, other = result["status"], result["epochs"], changes_of_model(run, config)
    if status in ("finished", "pruned") and (not words or _is_done(epochs, result["steps"], config.trainer)):
        if other:
            raise UserError(
                f"{'; '.join(other)}, and is {status}: a model does not change by a resume; "
                f"init_from={run} begins another with its weights (strict=false: with those that fit)"
            )
        print(f"{run} is {status} ({epochs:,} epochs): nothing to do; trainer.max_epochs=... trains on")
        return None
    if not os.access(run.path, os.W_OK):
        raise UserError(f"{run} cannot be written to")
    if is_first_process():
        log_again(run)
    checkpoint = last_whole_checkpoint(run)
    composed = OmegaConf.to_yaml(config)
    made_of = provenance(trusted_project(), [f"resume={run}", *words], config.seed)
    return train(
        config,
        Resumed(
            [f"resume={run}", *words],
            result,
            checkpoint,
            made_of,
            begun=lambda: run.keep_overrides(composed, words),
            model_was=other,
        ),
    )


def changes_of_model(run: RunFolder, config: DictConfig) -> list[str]:
    """What of the model is not as the run has it: `model.hidden_features=8: the run has 4`."""
    now, before = (
        by_full_key({"model": OmegaConf.to_container(each.model, resolve=True)}) for each in (config, run.config())
    )
    keys = [key for key, value in now.items() if value != before.get(key) and not isinstance(value, dict)]
    return [f"{key}={now[key]}: the run has {before.get(key, 'none')}" for key in keys]


def last_whole_checkpoint(run: RunFolder) -> Path | None:
    """What the run goes on from; None where it never came to save one, and begins anew.

    Raises UserError where it finished an earlier training and has lost its checkpoints, or where all are damaged.
    """
    damaged = []
    for file in (run.checkpoints / f"{name}.ckpt" for name in ("last", "previous")):
        if file.is_file():
            try:
                load_checkpoint(file)
            except UserError as error:
                damaged.append(str(error))
            else:
                for line in damaged:
                    log.warning(f"{line}; {file.name}, saved before it, is taken instead")
                return file
    if damaged:
        raise UserError(*damaged)
    if run.result()["last_checkpoint"]:
        raise UserError(f"{run} has lost its checkpoints: there is nothing to go on from")
    log.warning(f"{run} has no checkpoint yet: it begins anew")
    return None


def join(folder: str, words: Sequence[str]) -> None:
    """Train as one more process of a run that another process has begun (see `leyden.verbs.children`)."""
    run = RunFolder.open(folder)
    checkpoint = next((Path(word.partition("=")[2]) for word in words if word.startswith("checkpoint=")), None)
    train(run.config(), Resumed((), {}, checkpoint, {}) if checkpoint else None)


def _is_done(epochs: int, steps: int, trainer: DictConfig) -> bool:
    return (0 < trainer.max_steps <= steps) or (trainer.max_epochs is not None and 0 <= trainer.max_epochs <= epochs)


def log_again(run: RunFolder) -> None:
    """Let the log go on where it ended, in the form that the project's configs give it.

    What the run says of it is not read: a log's config can name any code to run.
    """
    hydra = OmegaConf.load(trusted_project() / "configs" / "hydra" / "default.yaml")
    whole = OmegaConf.create({"hydra": {"runtime": {"output_dir": str(run.path.resolve())}}})
    whole.hydra.job_logging = hydra.job_logging
    configure_log(whole.hydra.job_logging)
