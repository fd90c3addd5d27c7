"""The further processes that Lightning starts for a training on several devices of one machine."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from lightning.fabric.strategies.launchers.subprocess_script import _ChildProcessObserver
from lightning.pytorch import Trainer

from leyden.runs.folder import RunFolder
from leyden.signals import Stop
from leyden.training.callbacks import NonFiniteError

SET_BY_LIGHTNING = ("LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "WORLD_SIZE")
GRACE_SECONDS = 5.0


@contextmanager
def joined_by_children(trainer: Trainer, run: RunFolder, checkpoint: Path | None) -> Iterator[None]:
    """While this lasts, the processes that Lightning starts join the training of `run`.

    Lightning starts them with this process's command line, which would compose the config a second time and, in a
    sweep, run the whole sweep again. Afterwards nothing is left that the next job of a sweep would take for its own.
    Does nothing where one process trains alone, or where torchrun or srun started them all.
    """
    if trainer.strategy.launcher is None or any(name in os.environ for name in SET_BY_LIGHTNING):
        yield
        return
    words, hydra, main = sys.argv, HydraConfig.instance().cfg, sys.modules["__main__"]
    module, main.__spec__ = main.__spec__, None  # that of submitit, say: `python -m` would start it again
    sys.argv = [words[0], f"join={run.path.resolve()}", *([f"checkpoint={checkpoint.resolve()}"] if checkpoint else [])]
    HydraConfig.instance().cfg = None
    try:
        yield
    except BaseException as error:
        launcher: Any = trainer.strategy.launcher
        try:
            if isinstance(error, Stop | NonFiniteError):  # most often all processes end at the same batch
                with suppress(subprocess.TimeoutExpired):
                    for process in launcher.procs:
                        process.wait(GRACE_SECONDS)
        finally:
            launcher.kill(signal.SIGKILL)
        raise
    finally:
        for thread in threading.enumerate():  # it would kill this process, too, when it finds that a child has stopped
            if isinstance(thread, _ChildProcessObserver):
                thread._child_processes = []
        sys.argv, HydraConfig.instance().cfg, main.__spec__ = words, hydra, module
        for name in SET_BY_LIGHTNING:
            os.environ.pop(name, None)
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
