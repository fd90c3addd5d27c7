"""Reading checkpoints back."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from leyden.errors import UserError


def load_checkpoint(file: Path) -> dict[str, Any]:
    """The content of a checkpoint file, on the CPU. Runs no code that the file may hold.

    Raises UserError where the file is not there, is cut short, or is no checkpoint.
    """
    try:
        checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{file}: there is no such checkpoint") from error
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise UserError(f"{file} is damaged or no checkpoint: {str(error).split('. ')[0]}") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise UserError(f"{file} is no checkpoint: it holds no state_dict")
    return checkpoint


def load_weights(model: nn.Module, checkpoint: Mapping[str, Any], file: Path) -> None:
    """Raises UserError where the weights are those of another model. `file` is what the checkpoint was read from."""
    try:
        model.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        reason = "; ".join(line.strip() for line in str(error).splitlines()[1:])
        raise UserError(f"{file} is a checkpoint of another model: {reason}") from error
