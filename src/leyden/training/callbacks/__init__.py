"""What watches training."""

from leyden.training.callbacks.progress import Progress

__all__ = ["Progress"]
