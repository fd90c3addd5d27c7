"""The checkpoint that training goes on from."""

import os
from pathlib import Path

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint


class LastCheckpoint(Checkpoint):
    """Keeps `last.ckpt` in `dirpath`: at the end of every `every_n_epochs`-th epoch, and at the end of training.

    ModelCheckpoint's `save_last` saves only where the monitored value has just become better, and so loses the end of a
    training that did not improve (Lightning 2.6.6). Before it saves, this has the loggers write what they have.
    """

    def __init__(self, dirpath: str | os.PathLike[str], every_n_epochs: int | None = 1) -> None:
        super().__init__()
        self.file = Path(dirpath) / "last.ckpt"
        self.every_n_epochs = every_n_epochs or 1
        self._saved_step = 0  # before the first step there is nothing to save

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.file = trainer.strategy.broadcast(self.file)  # only the first process knows the run folder

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        if trainer.global_step == self._saved_step or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        self._saved_step = trainer.global_step
        for logger in trainer.loggers:
            logger.save()
        trainer.save_checkpoint(self.file)
