"""Stops a training where its numbers go wrong, and keeps what it takes to see why."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from leyden.errors import UserError
from leyden.training.callbacks.hooks import only_own_hooks
from leyden.training.checkpoint_io import write_checkpoint


class NonFiniteError(UserError):
    """A loss or a gradient is NaN or infinite."""


@only_own_hooks
class Guard(Callback):
    """Raises `NonFiniteError` at the step whose loss or gradient is NaN or infinite. A bad gradient is not taken: the
    weights stay good.

    What the step was made of is kept in `dirpath` as `nonfinite.ckpt` (`nonfinite-1.ckpt` by the process of rank 1):
    step, epoch, learning rates, loss, the norm of every parameter's gradient, the batch as the model got it, the
    indices of its samples where the loader tells them, and the weights. `replay` trains that step again.

    With 16-bit precision and a loss scaler, which leaves out steps with infinite gradients by itself, only the loss is
    looked at; under several processes, where all must stop together, only the gradient that they share.
    """

    def __init__(self, dirpath: str | os.PathLike[str]) -> None:
        self.folder = Path(dirpath)
        self._bad: dict[str, float] | None = None  # the norms of the gradients of a step that was not taken
        self._stepped = False  # in this batch

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.folder = trainer.strategy.broadcast(self.folder)  # only the first process knows the run folder
        self._scales = getattr(trainer.precision_plugin, "scaler", None) is not None
        device = trainer.strategy.root_device
        self._found, self._one = torch.zeros(1, device=device), torch.ones(1, device=device)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        self._stepped = True
        if not (self._scales or self._are_finite(gradients(optimizer))):
            self._bad = norms(pl_module)
            optimizer.zero_grad()  # without gradients the step changes nothing

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs  # none with manual optimization
        finite = loss is None or trainer.world_size > 1 or math.isfinite(loss.item())
        if self._bad is not None or not finite:
            shown = math.nan if loss is None else float(loss) * trainer.accumulate_grad_batches
            raise NonFiniteError(self._report(trainer, pl_module, shown, batch, batch_idx))
        self._stepped = False

    def _are_finite(self, gradients: list[Tensor]) -> bool:
        """Whether no value is NaN or infinite. Lets them as they are: they are multiplied by one."""
        try:  # what a GradScaler asks with: one call for all, four times as fast as a sum of each
            torch._amp_foreach_non_finite_check_and_unscale_(gradients, self._found, self._one)
            return not self._found.item()
        except (RuntimeError, NotImplementedError):  # of several types or devices, or sparse
            return all(bool(gradient.isfinite().all()) for gradient in gradients)

    def _report(
        self,
        trainer: Trainer,
        model: LightningModule,
        loss: float,
        batch: Any,
        batch_idx: int,
        more: Mapping[str, Any] | None = None,
    ) -> str:
        """What went wrong, in one line; all of it, and what `more` says, goes into the file."""
        gradient_norms = self._bad or norms(model) or {"nothing": 0.0}
        worst = max(gradient_norms, key=lambda name: (not math.isfinite(gradient_norms[name]), gradient_norms[name]))
        rates = [float(group["lr"]) for group in trainer.optimizers[0].param_groups]
        found = {
            "step": trainer.global_step - self._stepped,
            "epoch": trainer.current_epoch,
            "batch_idx": batch_idx,
            "loss": loss,
            "learning_rates": rates,
            "gradient_norms": gradient_norms,
            "largest_gradient_norm": gradient_norms[worst],
            "indices": getattr(trainer.train_dataloader, "indices", None),
            "batch": batch,
            "state_dict": model.state_dict(),
            **(more or {}),
        }
        rank = trainer.global_rank
        file = self.folder / (f"nonfinite-{rank}.ckpt" if rank else "nonfinite.ckpt")
        write_checkpoint(found, file)
        return (
            f"step {found['step']:,} (epoch {found['epoch']}, batch {batch_idx}): the loss is {found['loss']:g}, the "
            f"norm of the gradient of {worst} is {gradient_norms[worst]:g}, the learning rate "
            f"{', '.join(f'{rate:g}' for rate in rates)}; {os.path.relpath(file)} has the batch and the weights "
            + ("before the step, which was not taken" if self._bad or not self._stepped else "after it")
        )


def gradients(optimizer: Optimizer) -> list[Tensor]:
    return [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]


def norms(model: LightningModule) -> dict[str, float]:
    """The norm of the gradient of each parameter."""
    return {name: float(p.grad.norm()) for name, p in model.named_parameters() if p.grad is not None}
