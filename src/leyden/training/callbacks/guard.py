"""Stops a training where its numbers go wrong, and keeps what it takes to see why."""

import math
import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from leyden.errors import UserError
from leyden.training.checkpoint_io import write_checkpoint


class NonFiniteError(UserError):
    """A loss or a gradient is NaN or infinite."""


class Guard(Callback):
    """Raises `NonFiniteError` before a step whose loss or gradient is NaN or infinite: the weights are still good.

    What the step was made of is kept in `dirpath` as `nonfinite.ckpt` (`nonfinite-1.ckpt` by the process of rank 1):
    step, epoch, learning rates, loss, the norm of every parameter's gradient, the batch as the model got it, the
    indices of its samples where the loader tells them, and the weights. `replay` trains that step again.

    With 16-bit precision and a loss scaler, which leaves out steps with infinite gradients by itself, only the loss is
    looked at.
    """

    def __init__(self, dirpath: str | os.PathLike[str]) -> None:
        self.folder = Path(dirpath)
        self._batch: Any = None
        self._batch_idx = 0
        self._loss = torch.zeros(())

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.folder = trainer.strategy.broadcast(self.folder)  # only the first process knows the run folder
        self._scales = getattr(trainer.precision_plugin, "scaler", None) is not None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._batch, self._batch_idx = batch, batch_idx

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        self._loss = loss.detach()

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        if not math.isfinite(self._loss.item()) or not (self._scales or are_finite(gradients(optimizer))):
            raise NonFiniteError(self._report(trainer, pl_module, optimizer))

    def _report(self, trainer: Trainer, model: LightningModule, optimizer: Optimizer) -> str:
        """What went wrong, in one line; all of it goes into the file."""
        norms = {name: float(p.grad.norm()) for name, p in model.named_parameters() if p.grad is not None}
        worst = max(norms, key=lambda name: (not math.isfinite(norms[name]), norms[name]))
        found = {
            "step": trainer.global_step,
            "epoch": trainer.current_epoch,
            "batch_idx": self._batch_idx,
            "loss": float(self._loss) * trainer.accumulate_grad_batches,
            "learning_rates": [float(group["lr"]) for group in optimizer.param_groups],
            "gradient_norms": norms,
            "largest_gradient_norm": norms[worst],
            "indices": getattr(trainer.train_dataloader, "indices", None),
            "batch": self._batch,
            "state_dict": model.state_dict(),
        }
        rank = trainer.global_rank
        file = self.folder / (f"nonfinite-{rank}.ckpt" if rank else "nonfinite.ckpt")
        write_checkpoint(found, file)
        rates = ", ".join(f"{rate:g}" for rate in found["learning_rates"])
        return (
            f"step {found['step']:,} (epoch {found['epoch']}, batch {self._batch_idx}): the loss is {found['loss']:g}, "
            f"the norm of the gradient of {worst} is {norms[worst]:g}, the learning rate {rates}; "
            f"{os.path.relpath(file)} has the batch, the weights are those before the step"
        )


def gradients(optimizer: Optimizer) -> list[Tensor]:
    return [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]


def are_finite(tensors: list[Tensor]) -> bool:
    """Whether no value is NaN or infinite, asked as cheaply as the device allows: one wait for all on a GPU."""
    if tensors and tensors[0].is_cuda:
        return math.isfinite(get_total_norm(tensors).item())
    return all(math.isfinite(tensor.sum().item()) for tensor in tensors)
