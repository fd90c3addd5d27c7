"""What `command_cost.py` ends a command with."""

import os
from typing import Any

from lightning.pytorch import Callback


class FirstStep(Callback):
    """Ends the process after its first optimizer step."""

    def on_train_batch_end(self, *args: Any) -> None:
        os._exit(0)
