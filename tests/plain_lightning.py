"""A module and a data module of somebody who has never heard of leyden."""

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class PlainModel(LightningModule):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = nn.Linear(features, 1)

    def _loss(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        loss = nn.functional.mse_loss(self.layer(batch[0]), batch[1])
        self.log(f"{stage}/loss", loss)
        return loss

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._loss(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._loss(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._loss(batch, "test")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class PlainData(LightningDataModule):
    """y = 2a - b, exactly."""

    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self.batch_size = batch_size

    def _loader(self) -> DataLoader[tuple[Tensor, ...]]:
        inputs = torch.randn(32, 2, generator=torch.Generator().manual_seed(0))
        return DataLoader(TensorDataset(inputs, inputs @ torch.tensor([[2.0], [-1.0]])), self.batch_size)

    train_dataloader = val_dataloader = test_dataloader = _loader


class Dropped(PlainData):
    """A training that leaves out the last batch, where it is not a whole one."""

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(self._loader().dataset, self.batch_size, drop_last=True)


class Unvalidated(PlainData):
    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(TensorDataset(torch.empty(0, 2), torch.empty(0, 1)), self.batch_size)


class Unreadable(PlainData):
    """Read by another process, which cannot."""

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(Images(), self.batch_size, num_workers=1)


class Images(Dataset[tuple[Tensor, ...]]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        raise ValueError(f"image {index} cannot be read")
