"""What surviving costs: the guard and the checkpoints, as parts of a training step.

    python scripts/benchmarks/survival_costs.py

Trains each experiment's model, on one thread (CifarCNN: all), with the guard in some steps, drawn by lot, and prints
the lowest, median and highest share of CPU time over several trainings. For a checkpoint, the seconds of one save over
those between two at the defaults.
"""

import argparse
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from rich.table import Table
from torch import Tensor

from lab.data import NoisySineDataModule, XORDataModule
from lab.models import CifarCNN, MLPRegressor, SimpleNet
from leyden.training import Splits, TensorDataModule
from leyden.training.augment import Standardize
from leyden.training.callbacks import Guard, LastCheckpoint
from leyden.training.checkpoint_io import DurableCheckpointIO
from leyden.verbs import quiet  # noqa: F401


class Noise(TensorDataModule):
    """Images of the size of CIFAR-10's, of no real thing."""

    def load(self) -> Splits:
        images = torch.randint(0, 256, (2500, 3, 32, 32), dtype=torch.uint8)
        self.normalize = Standardize(torch.full((3,), 0.5), torch.full((3,), 0.25))
        points: tuple[Tensor, ...] = images, torch.arange(2500) % 10
        return Splits(points, points, points)


class Clock(Callback):
    """CPU microseconds of each step, with and without the guard among the trainer's callbacks."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.steps: dict[bool, list[float]] = {True: [], False: []}
        self.began = 0.0

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        guarded, wanted = self.guard in callbacks, random.random() < 0.5
        self.steps[guarded].append(1e6 * (time.process_time() - self.began))
        if guarded and not wanted:
            callbacks.remove(self.guard)
        elif wanted and not guarded:
            callbacks.append(self.guard)
        self.began = time.process_time()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        began = time.perf_counter()
        trainer.save_checkpoint(Path(str(trainer.default_root_dir)) / "clock.ckpt")
        self.save = time.perf_counter() - began


CASES: dict[str, tuple[Callable[[], LightningModule], Callable[[], TensorDataModule], int, int]] = {
    "XOR, SimpleNet": (SimpleNet, XORDataModule, 3000, 1),
    "sine, MLPRegressor": (MLPRegressor, NoisySineDataModule, 3000, 1),
    "CIFAR-10, CifarCNN": (CifarCNN, partial(Noise, batch_size=250), 20, 0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainings", type=int, default=7, help="of each model (default: 7)")
    trainings = parser.parse_args().trainings
    warnings.simplefilter("ignore")
    guards = Table("model", "step, CPU ms", "guard, lowest", "median", "highest", "target", box=None, pad_edge=False)
    saves = Table("model", "one save, ms", "of a minute", "target", box=None, pad_edge=False)
    threads = torch.get_num_threads()
    for name, (model, data, steps, only) in CASES.items():
        torch.set_num_threads(only or threads)
        clocks = [train(model(), data(), steps) for _ in range(trainings)]
        without = [statistics.median(clock.steps[False]) for clock in clocks]
        shares = [
            statistics.median(clock.steps[True]) / other - 1 for clock, other in zip(clocks, without, strict=True)
        ]
        row = min(shares), statistics.median(shares), max(shares)
        save = statistics.median(clock.save for clock in clocks)
        step = statistics.median(without) / 1000
        guards.add_row(name, f"{step:.3g}", *(f"{share:+.2%}" for share in row), "under 1 %")
        saves.add_row(name, f"{1000 * save:.3g}", f"{save / 60:.3%}", "under 2 %")
    console = Console(width=120)
    console.print(guards, "", saves)


def train(model: LightningModule, data: TensorDataModule, steps: int) -> Clock:
    with tempfile.TemporaryDirectory() as folder:
        guard = Guard(folder)
        guard.setup(Trainer(accelerator="cpu", logger=False, enable_checkpointing=False), model, "fit")
        clock = Clock(guard)
        trainer = Trainer(
            accelerator="cpu",
            default_root_dir=folder,
            logger=False,
            max_steps=steps,
            max_epochs=-1,
            limit_val_batches=0,
            enable_progress_bar=False,
            enable_model_summary=False,
            plugins=[DurableCheckpointIO()],
            callbacks=[clock, LastCheckpoint(folder)],
        )
        trainer.fit(model, datamodule=data)
    return clock


if __name__ == "__main__":
    main()
