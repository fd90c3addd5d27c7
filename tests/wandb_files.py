"""The files in which wandb keeps a run until it is sent to its server."""

import json
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

BLOCK, HEADER = 32768, 7  # bytes; the file begins with a header of the same length as each record
WHOLE, LAST = 1, 4  # kinds of parts of a record


def wandb_records(file: Path) -> Iterator[Any]:
    """The records of a .wandb file, which is a log of LevelDB's: https://github.com/google/leveldb, log_format.md."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, place, record = file.read_bytes(), HEADER, b""
    assert content.startswith(b":W&B")
    while place + HEADER <= len(content):
        if (left := BLOCK - place % BLOCK) < HEADER:  # too short for a record: left empty
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        record += content[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in (WHOLE, LAST):
            yield Record.FromString(record)
            record = b""


def values(items: Iterable[Any]) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
