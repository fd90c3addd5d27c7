"""What watches training."""

from leyden.training.callbacks.best import Best
from leyden.training.callbacks.checkpoint import LastCheckpoint
from leyden.training.callbacks.progress import Progress

__all__ = ["Best", "LastCheckpoint", "Progress"]
