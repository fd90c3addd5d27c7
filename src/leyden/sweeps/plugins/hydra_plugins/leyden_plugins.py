"""Where Hydra looks for sweepers and launchers: in modules below `hydra_plugins`, and by the module of a class."""

from leyden.sweeps.grid import GridSweeper
from leyden.sweeps.local import LocalLauncher
from leyden.sweeps.ray import RayLauncher
from leyden.sweeps.search import OptunaSweeper
from leyden.sweeps.slurm import SlurmLauncher

for plugin in (GridSweeper, LocalLauncher, OptunaSweeper, RayLauncher, SlurmLauncher):
    plugin.__module__ = __name__
