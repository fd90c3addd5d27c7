"""What Lightning runs: plain modules, loaders and callbacks that need no Hydra and no run folder."""

from leyden.training.supervised import SupervisedModule
from leyden.training.tensor_data import Splits, TensorDataModule, TensorLoader

__all__ = ["Splits", "SupervisedModule", "TensorDataModule", "TensorLoader"]
