import platform
import subprocess
import sys

import pytest

BEGIN = """
import resource, torch
from leyden.training.memory import keep_freed_memory
keep_freed_memory()
"""
USED_AGAIN = """
for _ in range(2):
    torch.ones(4 * 2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    torch.ones(4 * 2**20)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize())
"""
NOT_HOARDED = """
kept, most = [], []
for _ in range(12):
    activations = [torch.ones(16 * 2**20) for _ in range(2)]
    kept.append(torch.ones(1000))
    del activations
    most.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
print(most[-1] - most[1])
"""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc is not glibc's")


def printed(code: str) -> int:
    return int(subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, text=True, check=True).stdout)


def test_memory_that_is_freed_is_used_again() -> None:
    """Eight tensors of 16 MiB in turn: the system has to clear the pages of one more at most."""
    assert printed(USED_AGAIN) < 2 * 16 * 2**20


def test_large_tensors_with_small_ones_between_them_do_not_have_the_heap_grow() -> None:
    """Two of 64 MiB at a time, again and again: kept, they took as much anew every time."""
    assert printed(NOT_HOARDED) < 64 * 2**20
