"""The best checkpoint, and the one that training goes on from."""

import os
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

from leyden.training.loggers import CSVLogger


class BestCheckpoint(ModelCheckpoint):
    """Keeps `best.ckpt` in `dirpath`: of the epoch with the best value of `monitor`.

    Where the folder has been moved since, what Lightning remembers of it is moved too: it would forget the best value.
    """

    def __init__(
        self,
        dirpath: str | os.PathLike[str],
        monitor: str,
        mode: str = "min",
        every_n_epochs: int | None = 1,
    ) -> None:
        super().__init__(
            dirpath=str(dirpath),
            filename="best",
            monitor=monitor,
            mode=mode,
            every_n_epochs=every_n_epochs,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        moved: dict[str, Any] = {"dirpath": self.dirpath}
        if state_dict.get("best_model_path"):
            file = str(Path(str(self.dirpath)) / "best.ckpt")
            moved |= {"best_model_path": file, "kth_best_model_path": file}
            moved["best_k_models"] = {file: state_dict["best_model_score"]}
        super().load_state_dict(state_dict | moved)


class LastCheckpoint(Checkpoint):
    """Keeps `last.ckpt` in `dirpath`: at the end of every `every_n_epochs`-th epoch, and at the end of training.

    ModelCheckpoint's `save_last` saves only where the monitored value has just become better, and so loses the end of a
    training that did not improve (Lightning 2.6.6). The loggers write what they have before it saves, and again as the
    next epoch begins: Lightning hands them the metrics of an epoch when that is over.
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

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step == self._saved_step:
            for logger in trainer.loggers:
                logger.flush() if isinstance(logger, CSVLogger) else logger.save()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        if trainer.global_step == self._saved_step or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        self._saved_step = trainer.global_step
        for logger in trainer.loggers:
            logger.save()
        partial = self.file.with_name(f".{self.file.name}.partial")
        trainer.save_checkpoint(partial)
        if trainer.is_global_zero:
            partial.replace(self.file)
