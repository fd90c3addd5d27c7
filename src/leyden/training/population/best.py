"""The best weights of each member, and the checkpoint of the best of all."""

from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from leyden.training.callbacks.best import Best, Mode
from leyden.training.callbacks.hooks import only_own_hooks
from leyden.training.checkpoint_io import write_checkpoint
from leyden.training.population.data import PopulationData
from leyden.training.population.module import Population


@only_own_hooks
class BestMembers(Best):
    """Follows the metric `monitor` of every member: `values` [K] are the best, `weights` [K, P] what reached them.

    `value` is that of the best member, whose weights `file` gets, whenever a checkpoint is saved and at the end: an
    ordinary checkpoint of the plain model, with its member's `seed`. None: no file, and the last weights count.
    """

    def __init__(
        self, population: Population, data: PopulationData, seed: int, monitor: str, mode: Mode, file: Path | None
    ) -> None:
        super().__init__(monitor, mode)
        self.population = population
        self.data = data
        self.seed = seed  # of the first member
        self.file = file
        self.values = torch.full((len(population),), torch.nan)
        self.weights = population.weights.detach().clone()
        self._is_new = False  # not yet in the file
        self._seen: Tensor | None = None  # the values that were looked at last

    def _look(self, trainer: Trainer) -> None:
        values = self.population.values.get(self.monitor)
        if values is None or values is self._seen or trainer.sanity_checking:
            return
        self._seen = values
        self.values, self.weights = self.values.to(values), self.weights.to(values.device)
        better = values < self.values if self.mode == "min" else values > self.values
        better |= self.values.isnan() & ~values.isnan()
        self.values = torch.where(better, values, self.values)
        self.weights = torch.where(better[:, None], self.population.weights.detach(), self.weights)
        if better[self.best]:
            self.value, self._is_new = float(self.values[self.best]), True

    @property
    def best(self) -> int:
        """Which member is the best."""
        worst = torch.inf if self.mode == "min" else -torch.inf
        values = self.values.nan_to_num(worst, torch.inf, -torch.inf)
        return int(values.argmin() if self.mode == "min" else values.argmax())

    @torch.no_grad()
    def take_weights(self) -> None:
        """Give each member of the population its best weights, where those count."""
        if self.file is not None and self.value is not None:
            self.population.weights.copy_(self.weights)

    def table(self) -> dict[str, list[Any]]:
        """A column for the seeds, the best values and each metric, a row for each member."""
        columns: dict[str, list[Any]] = {"seed": [self.seed + index for index in range(len(self.values))]}
        columns[f"{self.monitor} (best)"] = self.values.tolist()
        columns |= {name: values.tolist() for name, values in self.population.values.items()}
        return columns | ({"success": self.population.succeeded().tolist()} if self.population.expected else {})

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._write(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        if self.file is None or not self._is_new or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        member, data = self.population.member(self.best, self.weights), self.data.of(self.best)
        self.file.parent.mkdir(exist_ok=True)
        content = {
            "epoch": trainer.current_epoch,
            "global_step": trainer.global_step,
            "pytorch-lightning_version": lightning.__version__,
            "state_dict": member.state_dict(),
            "hparams_name": "kwargs",
            "hyper_parameters": dict(member.hparams),
            type(data).__qualname__: data.state_dict(),
            "seed": self.seed + self.best,
        }
        write_checkpoint(content, self.file)
        self._is_new = False

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value, "values": self.values, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.value, self.values, self.weights = (state_dict[key] for key in ("value", "values", "weights"))
        self._is_new = self.value is not None
