"""What watches training."""

from leyden.training.callbacks.best import Best
from leyden.training.callbacks.checkpoint import BestCheckpoint, LastCheckpoint
from leyden.training.callbacks.progress import Progress

__all__ = ["Best", "BestCheckpoint", "LastCheckpoint", "Progress"]
