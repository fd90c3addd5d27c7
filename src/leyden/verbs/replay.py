"""Look again at the step that a run stopped at."""

import math
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from leyden.config.build import build_bare_trainer
from leyden.config.rebuild import rebuild
from leyden.errors import UserError
from leyden.runs.folder import RunFolder
from leyden.terminal import show
from leyden.training.callbacks.guard import norms
from leyden.training.checkpoint_io import load_checkpoint
from leyden.verbs import quiet  # noqa: F401


def replay(folder: str) -> dict[str, Any]:
    """Train the step again at which a run stopped because a number was not finite.

    Takes the batch and the weights from the run's nonfinite.ckpt, and tells the loss, the first layer whose output is
    not finite, and the norm of every gradient. Changes nothing in the run. What a model draws by itself (dropout) is
    drawn anew.
    """
    files = sorted(RunFolder.open(folder).path.glob("nonfinite*.ckpt"))
    file = files[-1] if files else Path()  # the first process's comes last in the alphabet
    if not files:
        raise UserError(f"{folder} has no nonfinite.ckpt: no number went wrong while it trained")
    stopped = load_checkpoint(file)
    trained = rebuild(folder, str(file))
    watch = Watch(trained.model)
    one_step = {"max_epochs": 1, "max_steps": 1, "accumulate_grad_batches": 1, "devices": 1, "strategy": "auto"}
    trainer = build_bare_trainer(trained.config, watch, **one_step)
    batches: Any = [stopped["batch"]]
    trainer.fit(trained.model.train(), DataLoader(batches, batch_size=None))
    table = Table("gradient of", "norm then", "norm now", box=None, pad_edge=False, header_style="bold")
    for name, norm in watch.norms.items():
        table.add_row(name, f"{stopped['gradient_norms'].get(name, math.nan):.6g}", f"{norm:.6g}")
    where = f"step {stopped['step']:,} (epoch {stopped['epoch']}, batch {stopped['batch_idx']})"
    first = f"the first output that is not finite: {watch.first or 'none'}"
    show(Console(), f"{where}: the loss was {stopped['loss']:.6g}, and is {watch.loss:.6g}", first, table)
    return {"loss": watch.loss, "first": watch.first, "gradient_norms": watch.norms}


class Watch(Callback):
    """Remembers the loss, the gradients, and the first layer of `model` whose output was not finite."""

    def __init__(self, model: nn.Module) -> None:
        self.loss = math.nan
        self.norms: dict[str, float] = {}
        self.first: str | None = None
        for name, module in model.named_modules():
            if not list(module.children()):
                module.register_forward_hook(lambda module, inputs, output, name=name: self._look(name, output))

    def _look(self, name: str, output: Any) -> None:
        if self.first is None and isinstance(output, Tensor) and not torch.isfinite(output).all():
            self.first = name

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        self.loss = float(loss.detach())

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        self.norms = norms(pl_module)
