"""Draw the figures of a run again."""

import os
import re
from pathlib import Path

from PIL import Image
from rich.console import Console

from leyden.config.build import build_figures, build_trainer
from leyden.config.rebuild import rebuild
from leyden.errors import UserError
from leyden.terminal import show
from leyden.training.callbacks import Figures
from leyden.training.loggers import CSVLogger
from leyden.verbs import quiet  # noqa: F401
