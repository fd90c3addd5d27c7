import platform
import resource
import subprocess
import sys

import pytest

USED_AGAIN = """
import resource, torch
from leyden.training.memory import keep_freed_memory
keep_freed_memory()
for _ in range(2):
    torch.ones(16 * 2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    torch.ones(16 * 2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc is not glibc's")
def test_memory_that_is_freed_is_used_again() -> None:
    """Eight tensors of 64 MiB in turn: the system has to clear the pages of one more at most."""
    printed = subprocess.run([sys.executable, "-c", USED_AGAIN], capture_output=True, text=True, check=True).stdout
    assert int(printed) < 2 * 64 * 2**20 // resource.getpagesize()
