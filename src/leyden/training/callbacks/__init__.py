"""What watches training."""

from leyden.training.callbacks.best import Best, BestCheckpoint
from leyden.training.callbacks.figures import Figures
from leyden.training.callbacks.guard import Guard, NonFiniteError
from leyden.training.callbacks.last import LastCheckpoint
from leyden.training.callbacks.progress import Progress
from leyden.training.callbacks.prune import Prune
from leyden.training.callbacks.watched import Watched

__all__ = [
    "Best", "BestCheckpoint", "Figures", "Guard", "LastCheckpoint", "NonFiniteError", "Progress", "Prune", "Watched",
]  # fmt: skip
