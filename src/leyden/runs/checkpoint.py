"""Taking weights back from checkpoints."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import nn

from leyden.errors import UserError
from leyden.runs.folder import RunFolder
from leyden.training.checkpoint_io import load_checkpoint


def load_weights(model: nn.Module, checkpoint: Mapping[str, Any], file: Path) -> None:
    """Raises UserError where the weights are those of another model. `file` is what the checkpoint was read from."""
    try:
        model.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        reason = "; ".join(line.strip() for line in str(error).splitlines()[1:])
        raise UserError(f"{file} is a checkpoint of another model: {reason}") from error


def init_weights(model: nn.Module, source: str, *, strict: bool) -> str:
    """Take over the weights of a run folder's checkpoint, or of a checkpoint file. Returns what was taken, in a line.

    Raises UserError, naming the layers that do not match, unless not `strict`: then those keep their fresh weights.
    """
    file = RunFolder.open(source).checkpoint_file() if Path(source).is_dir() else Path(source)
    given, own = load_checkpoint(file)["state_dict"], model.state_dict()
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    others = ", ".join(sorted((given.keys() | own.keys()) - fitting.keys()))
    if not fitting:
        raise UserError(f"init_from={source}: no layer matches")
    if others and strict:
        raise UserError(
            f"init_from={source}: these layers do not match: {others}; strict=false leaves them as they are"
        )
    model.load_state_dict(fitting, strict=False)
    return f"{len(fitting)} of {len(own)} weights are taken from {file}"


def check_hyperparameters(model: LightningModule) -> None:
    """Raises UserError for a hyper-parameter that a checkpoint would hold but `load_checkpoint` refuse."""
    for name, value in model.hparams.items():
        file = io.BytesIO()
        try:
            torch.save(value, file)
            file.seek(0)
            torch.load(file, weights_only=True)
        except Exception as error:  # pickling raises what it likes
            raise UserError(
                f"{type(model).__name__}: its hyper-parameter {name} is a {type(value).__name__}, which no safe "
                f"checkpoint can hold: give plain values, or self.save_hyperparameters(ignore=[{name!r}])"
            ) from error
