"""The data of many members: kept once where it is the same, handed out in the order that each has of its own."""

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from leyden.errors import UserError
from leyden.training.population.refusals import refuse_data
from leyden.training.tensor_data import TensorDataModule, TensorLoader, Tensors, shuffled


class PopulationLoader(TensorLoader):
    """Batches of [B, K, ...]: of each of K members the samples that a TensorLoader with its seed hands out.

    `tensors` hold several sets of `samples` each, one after the other; `first` [K] says where each member's begins.
    """

    def __init__(
        self, tensors: Tensors, batch_size: int, samples: int, first: Tensor, seeds: Sequence[int], *, shuffle: bool
    ) -> None:
        super().__init__(tensors, batch_size, shuffle=shuffle)
        self.samples = samples
        self.first = first
        self.seeds = seeds

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)

    def _order(self) -> Tensor:
        """The indices [samples, K] that the members visit in this epoch."""
        if not self.shuffle:
            return torch.arange(self.samples, device=self.first.device).unsqueeze(1) + self.first
        orders = torch.cat([shuffled(self.samples, seed, self.epoch) for seed in self.seeds])
        return orders.view(-1, self.samples).T.to(self.first.device) + self.first


class PopulationData(LightningDataModule):
    """The data of the members that were added, in their order. Sets of equal tensors are kept once."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds: list[int] = []
        self.sets: dict[str, TensorDataModule] = {}  # by their checksums
        self._set_of: list[str] = []

    def add(self, data: LightningDataModule) -> None:
        """Raises UserError for data that cannot be a member's (see `refuse_data`), or that is of another size."""
        refuse_data(data)
        assert isinstance(data, TensorDataModule)
        data.prepare_data()
        data.setup("fit")
        normalized = "" if data.normalize is None else f"{data.normalize.mean.tolist()} {data.normalize.std.tolist()}"
        checksum = hashlib.sha256(f"{data.fingerprint()} {normalized}".encode()).hexdigest()
        self.sets.setdefault(checksum, data)
        self._set_of.append(checksum)
        self.seeds.append(data.seed)
        first = self.of(0)
        if (data.batch_size, *_sizes(data)) != (first.batch_size, *_sizes(first)):
            raise UserError("population: the members' data differ in size, and cannot be stacked")

    def of(self, member: int) -> TensorDataModule:
        """The data of that member, but for the order."""
        return self.sets[self._set_of[member]]

    def fingerprint(self) -> str:
        """That of the data where all members have the same; else a SHA-256 over those of all."""
        prints = [data.fingerprint() for data in self.sets.values()]
        return prints[0] if len(prints) == 1 else hashlib.sha256(" ".join(prints).encode()).hexdigest()

    def train_dataloader(self) -> PopulationLoader:
        trainer: Any = self.trainer
        overfitting = trainer is not None and trainer.overfit_batches > 0
        return self._loader("train", self.of(0).batch_size, shuffle=not overfitting)

    def val_dataloader(self) -> PopulationLoader:
        return self._loader("val", self.of(0).eval_batch_size, shuffle=False)

    def test_dataloader(self) -> PopulationLoader:
        return self._loader("test", self.of(0).eval_batch_size, shuffle=False)

    def _loader(self, split: str, batch_size: int, *, shuffle: bool) -> PopulationLoader:
        device = self.trainer.strategy.root_device if self.trainer is not None else torch.device("cpu")
        sets = [self._prepared(data, split) for data in self.sets.values()]
        samples, places = len(sets[0][0]), {checksum: place for place, checksum in enumerate(self.sets)}
        return PopulationLoader(
            tuple(torch.cat(tensors).to(device) for tensors in zip(*sets, strict=True)),
            batch_size,
            samples,
            torch.tensor([places[checksum] * samples for checksum in self._set_of], device=device),
            self.seeds,
            shuffle=shuffle,
        )

    def _prepared(self, data: TensorDataModule, split: str) -> Tensors:
        """As the model gets it: normalised, in the precision of the training."""
        batch: Tensors = getattr(data.splits, split)
        if self.trainer is not None:
            batch = self.trainer.precision_plugin.convert_input(batch)
        prepared: Tensors = data.on_after_batch_transfer(batch, 0)
        return prepared


def _sizes(data: TensorDataModule) -> list[torch.Size]:
    return [tensor.shape for split in data.splits or () for tensor in split]
