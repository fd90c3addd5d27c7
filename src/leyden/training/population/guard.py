"""The guard of a population: it says which member's numbers have gone wrong."""

import os
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.optim import Optimizer

from leyden.training.callbacks.guard import Guard, NonFiniteError, gradients, norms
from leyden.training.callbacks.hooks import only_own_hooks
from leyden.training.population.module import Population


@only_own_hooks
class GuardMembers(Guard):
    """Raises `NonFiniteError` before the step at which the loss or the gradient of a member is NaN or infinite.

    `nonfinite.ckpt` is that of the plain model: the member's own weights and batch, and its `seed`.
    """

    def __init__(self, dirpath: str | os.PathLike[str], seed: int) -> None:
        super().__init__(dirpath)
        self.seed = seed  # of the first member

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        assert isinstance(pl_module, Population)
        losses, batch = pl_module.losses.detach(), pl_module.batch
        if self._are_finite([*gradients(optimizer), losses]):
            return
        gradient = pl_module.weights.grad
        assert gradient is not None
        bad = ~(gradient.isfinite().all(1) & losses.isfinite())
        index = int(bad.nonzero()[0])
        member = pl_module.member(index)
        sizes = [parameter.numel() for parameter in member.parameters()]
        for parameter, part in zip(member.parameters(), torch.split(gradient[index], sizes), strict=True):
            parameter.grad = part.view_as(parameter)
        self._bad = norms(member)
        own = tuple(tensor[:, index] for tensor in batch)
        more = {"seed": self.seed + index, "indices": None}
        report = self._report(trainer, member, float(losses[index]), own, trainer.fit_loop.batch_idx, more)
        others = f", {int(bad.sum()) - 1} more of the {len(bad)} members with it" if bad.sum() > 1 else ""
        raise NonFiniteError(f"seed {self.seed + index}{others}: {report}")

    def on_train_batch_end(self, *args: Any) -> None:
        """All has been looked at before the step."""
