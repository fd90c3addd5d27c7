"""Imports of torch and Lightning, which take most of the time of a short command."""

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imports_at_once() -> Iterator[None]:
    """Python's garbage collector stands still meanwhile, and passes over what was imported until Python ends.

    That is half a million objects, nearly all of which stay to the end. To look through them again and again takes a
    tenth of the time of importing torch, and as much at every full collection of a training.
    """
    if "torch" in sys.modules:  # in a later job of a sweep: what it has left behind must be collected
        yield
        return
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        atexit.register(gc.unfreeze)  # or triton complains of leaks when Python ends
        if was_enabled:
            gc.enable()
