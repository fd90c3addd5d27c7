"""Memory that is freed stays with the process."""

import ctypes
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def keep_freed_memory() -> None:
    """From now on, memory that is freed is used again, not handed back to the system; where malloc is glibc's.

    Each step on the CPU asks for the same large tensors. Left to itself, glibc maps each anew and unmaps it when it is
    freed; clearing all those pages is a quarter of a CifarCNN's step.
    """
    with suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)  # none is too much
