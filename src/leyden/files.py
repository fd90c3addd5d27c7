"""Files that are there whole or not at all, and room for them."""

import os
import tempfile
from pathlib import Path
from typing import IO

PARTIAL = ".*.partial"  # what a process that was killed while it wrote may leave behind
RESERVED = 32 * 1024  # bytes


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


def reserved(folder: Path) -> IO[bytes]:
    """A file without a name that takes up space on the disk of `folder`, to be had by what is written after its end."""
    file: IO[bytes] = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  # open until it is closed
    file.write(os.urandom(RESERVED))  # zeros may take up none
    return file


def sync(path: Path) -> None:
    """Flush a file to the disk or, of a folder, which files it holds."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
