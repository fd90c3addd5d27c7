import subprocess
import sys

PROBE = """
import gc
from leyden.imports import imports_at_once

def frozen():
    with imports_at_once():
        made = []
        made.append(made)
        import torch
        was_enabled = gc.isenabled()
    return was_enabled, gc.isenabled(), any(each is made for each in gc.get_objects())

print(frozen(), gc.get_freeze_count() > 100_000)
count = gc.get_freeze_count()
print(frozen(), gc.get_freeze_count() == count)
"""


def test_the_collector_passes_over_what_was_imported_and_over_nothing_else() -> None:
    """A later job of the same process imports nothing: what it leaves behind is collected."""
    printed = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert printed.stdout.splitlines() == ["(False, True, False) True", "(True, True, True) True"]
    assert printed.stderr == ""
