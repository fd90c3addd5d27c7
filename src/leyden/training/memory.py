"""Memory that is freed stays with the process."""

import ctypes
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
LARGEST = 32 * 2**20  # bytes: more is not taken for it


def keep_freed_memory() -> None:
    """From now on, memory of tensors up to 32 MiB that are freed is used again, not handed back to the system; where
    malloc is glibc's.

    Each step on the CPU asks for the same tensors. Left to itself, glibc takes their pages anew in each, and clearing
    all those pages is a good part of a CifarCNN's step. Larger ones are mapped each by itself, as ever: among kept
    ones, a few small tensors have the heap grow without end.
    """
    with suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, LARGEST)
        mallopt(M_TRIM_THRESHOLD, -1)  # none is too much
