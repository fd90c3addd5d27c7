"""Files that are there whole or not at all."""

import os
from pathlib import Path

PARTIAL = ".*.partial"  # what a process that was killed while it wrote may leave behind


def write_whole(file: Path, *parts: bytes | memoryview) -> None:
    """Write a file beside its place, flush it to the disk, and rename it.

    Whoever reads it, even after a crash of the machine, finds the old content or the new. Raises OSError where it
    cannot be written; nothing is left then, and the old content stays.
    """
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as opened:
            for part in parts:
                opened.write(part)
            opened.flush()
            os.fsync(opened.fileno())
        partial.replace(file)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error  # a full disk does not say where it is
    finally:
        partial.unlink(missing_ok=True)
    sync(file.parent)


def sync(path: Path) -> None:
    """Flush a file to the disk or, of a folder, which files it holds."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
