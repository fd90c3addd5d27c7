"""What the benchmarks put into a training from outside, by its config."""

import os
import time
from typing import Any, ClassVar

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from leyden.training import Splits, TensorDataModule


class FirstStep(Callback):
    """Ends the process after its first optimizer step."""

    def on_train_batch_end(self, *args: Any) -> None:
        os._exit(0)


class TrainingClock(Callback):
    """CPU seconds of a step, over each `every` epochs, from the second such part of a training on."""

    seconds: ClassVar[list[float]]

    def __init__(self, every: int) -> None:
        self.every = every
        self._began, self._step = 0.0, 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        TrainingClock.seconds = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch and trainer.current_epoch % self.every == 0:
            now, step = time.process_time(), trainer.global_step
            if trainer.current_epoch > self.every:
                TrainingClock.seconds.append((now - self._began) / (step - self._step))
            self._began, self._step = now, step


class FitClock(Callback):
    """CPU seconds from the first batch to the end of training."""

    seconds: ClassVar[float]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._began = time.process_time()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        FitClock.seconds = time.process_time() - self._began


class LogMore(Callback):
    """Logs `count` more values with every epoch."""

    def __init__(self, count: int) -> None:
        self.count = count

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        pl_module.log_dict({f"more/{index}": float(index) for index in range(self.count)})


class ManyPoints(TensorDataModule):
    """The corners of XOR's square, drawn `samples` times."""

    def __init__(self, samples: int, batch_size: int = 1, seed: int = 0) -> None:
        super().__init__(batch_size, seed)
        self.samples = samples

    def load(self) -> Splits:
        inputs = torch.rand(self.samples, 2, generator=torch.Generator().manual_seed(self.seed)).round()
        train = inputs, (inputs[:, :1] != inputs[:, 1:]).float()
        few = tuple(tensor[:4] for tensor in train)
        return Splits(train, few, few)
