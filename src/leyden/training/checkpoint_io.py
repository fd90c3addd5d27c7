"""Checkpoint files that survive: whole or not there at all, and known to be whole when they are read."""

import hashlib
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from lightning.fabric.utilities.types import _PATH

from leyden.errors import UserError
from leyden.files import write_whole

CHECKSUM = b"sha256:"
COMMENT = len(CHECKSUM) + 64  # bytes


class DurableCheckpointIO(CheckpointIO):
    """Writes checkpoints that no crash leaves damaged, and reads them without running code that they may hold.

    Lightning's own goes through the temporary folder: where that is another file system, a process that is killed, or a
    disk that is full, damages the file and what was there before.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any = None) -> None:
        """Raises OSError where the folder above the file's is gone, or the disk full; the old file then stays."""
        file = Path(path)
        file.parent.mkdir(exist_ok=True)
        write_checkpoint(checkpoint, file)

    def load_checkpoint(
        self, path: _PATH, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return load_checkpoint(Path(path))

    def remove_checkpoint(self, path: _PATH) -> None:
        Path(path).unlink(missing_ok=True)


def write_checkpoint(checkpoint: dict[str, Any], file: Path) -> None:
    """Write a file for `torch.load`, with the SHA-256 of its content as the comment of the zip archive that it is."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    content = buffer.getbuffer()[:-2]  # a zip archive ends with the length of its comment, and the comment
    comment = CHECKSUM + hashlib.sha256(content).hexdigest().encode()
    write_whole(file, content, len(comment).to_bytes(2, "little"), comment)


def load_checkpoint(file: Path) -> dict[str, Any]:
    """The content of a checkpoint file, on the CPU. Runs no code that the file may hold.

    Raises UserError where the file is not there, is damaged, or is no checkpoint.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{file}: there is no such checkpoint (best, last or the path of a file)") from error
    comment = content[-COMMENT:]
    if comment.startswith(CHECKSUM):
        found = hashlib.sha256(memoryview(content)[: -COMMENT - 2]).hexdigest().encode()
        if comment != CHECKSUM + found:
            raise UserError(f"{file} is damaged: its content does not fit its checksum")
    try:
        _refuse_zip_bomb(content)
        checkpoint = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling raises what it likes
        raise UserError(f"{file} is damaged or no checkpoint: {_reason(error, content)}") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise UserError(f"{file} is no checkpoint: it holds no state_dict")
    return checkpoint


def _reason(error: Exception, content: bytes) -> str:
    if code := re.search(r"GLOBAL (\S+)", str(error)):
        return f"it holds {code[1]}, which is no plain data and could run code"
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return "it is cut short, or was not written by torch.save"
    return str(error).split(". ")[0]


def _refuse_zip_bomb(content: bytes) -> None:
    """torch never compresses; what is compressed could be a thousand times as large in memory as it is on the disk."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(record.file_size for record in archive.infolist()) > len(content):
                raise ValueError("its records are larger than the file")
