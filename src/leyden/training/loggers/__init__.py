"""Where curves go. Packages that not everybody has are imported when they are used."""

from leyden.training.loggers.csv import CSVLogger
from leyden.training.loggers.mlflow import MLFlowLogger
from leyden.training.loggers.of_runs import RunLogger, Status
from leyden.training.loggers.tensorboard import TensorBoardLogger
from leyden.training.loggers.wandb import WandbLogger

__all__ = ["CSVLogger", "MLFlowLogger", "RunLogger", "Status", "TensorBoardLogger", "WandbLogger"]
