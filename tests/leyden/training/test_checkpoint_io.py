"""Checkpoint files are whole or not there, and a damaged one is known."""

import json
import os
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from conftest import PROJECT
from torch import nn

from leyden.errors import UserError
from leyden.training.checkpoint_io import DurableCheckpointIO, load_checkpoint, write_checkpoint


def test_any_byte_that_is_changed_is_found_or_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    weights = nn.Linear(2, 3).state_dict()
    write_checkpoint({"state_dict": weights}, file)
    content, found = file.read_bytes(), 0
    for place in range(len(content)):
        file.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            loaded = load_checkpoint(file)["state_dict"]
        except UserError:
            found += 1
        else:  # in the nine bytes that say that there is a checksum
            assert all(torch.equal(loaded[name], value) for name, value in weights.items())
    assert found >= len(content) - 9


def test_a_file_is_read_without_this_package_and_verified_by_others(tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    write_checkpoint({"state_dict": {"a": torch.arange(3)}}, file)
    assert torch.equal(torch.load(file, weights_only=True)["state_dict"]["a"], torch.arange(3))
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        assert archive.comment.startswith(b"sha256:")


def test_a_file_that_is_larger_in_memory_than_on_the_disk_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bomb.ckpt"
    torch.save({"state_dict": {"a": torch.zeros(100_000)}}, file)
    packed = tmp_path / "packed.ckpt"
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as small:
        for record in whole.infolist():
            small.writestr(record.filename, whole.read(record))
    with pytest.raises(
        UserError, match=r"packed.ckpt is damaged or no checkpoint: its records are larger than the file"
    ):
        load_checkpoint(packed)


def test_nothing_is_written_into_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DurableCheckpointIO().save_checkpoint({"state_dict": {}}, tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert list(tmp_path.iterdir()) == []


TRIALS = """
import json, os, random, signal, sys, time
from pathlib import Path
import torch
from leyden.training.checkpoint_io import load_checkpoint, write_checkpoint
from leyden.runs.folder import RunFolder

run = RunFolder(sys.argv[1])
run.checkpoints.mkdir(parents=True)
file = run.checkpoints / "last.ckpt"
counts = {"trials": 0, "damaged": 0, "lost": 0, "in a save": 0, "left behind": 0}
draw, number = random.Random(0), 0

def save(number):
    write_checkpoint({"state_dict": {"a": torch.full((400_000,), float(number))}, "number": number}, file)

save(0)
while counts["trials"] < 100:
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        while True:
            number += 1
            save(number)
            os.write(writer, number.to_bytes(4, "little"))
    while not list(run.checkpoints.glob(".*")):
        time.sleep(0.0002)
    time.sleep(draw.uniform(0, 0.004))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(writer)
    told = os.read(reader, 1 << 20)
    os.close(reader)
    number = int.from_bytes(told[-4:], "little") if told else number
    counts["trials"] += 1
    counts["in a save"] += bool(list(run.checkpoints.glob(".*")))
    try:
        loaded = load_checkpoint(file)
        counts["damaged"] += not bool((loaded["state_dict"]["a"] == loaded["number"]).all())
        counts["lost"] += loaded["number"] < number
        number = loaded["number"]
    except Exception:
        counts["damaged"] += 1
    with run.locked():
        save(number)
    counts["left behind"] += len(list(run.checkpoints.glob(".*")))
print(json.dumps(counts))
"""


def test_killed_in_the_middle_of_a_hundred_saves_none_is_damaged_lost_or_left_half(tmp_path: Path) -> None:
    """With the temporary folder on another file system."""
    environment = {"TMPDIR": "/dev/shm", "OMP_NUM_THREADS": "1", "PATH": ""}
    completed = subprocess.run(
        [sys.executable, "-c", TRIALS, str(tmp_path / "run")],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    counts = json.loads(completed.stdout)
    assert counts.pop("in a save") > 10
    assert counts == {"trials": 100, "damaged": 0, "lost": 0, "left behind": 0}


def test_a_full_disk_leaves_the_checkpoint_that_was_there(small_disk: Path) -> None:
    """A hundred times, with room for parts of different size."""
    file, filler = small_disk / "last.ckpt", small_disk / "filler"
    good = {"state_dict": {"a": torch.arange(2000.0)}}
    write_checkpoint(good, file)
    for trial in range(100):
        fill(filler, room=trial % 10 * 4096)
        with pytest.raises(OSError, match=r"No space left on device: '.*last.ckpt'"):
            write_checkpoint({"state_dict": {"a": torch.zeros(20_000)}}, file)
        assert torch.equal(load_checkpoint(file)["state_dict"]["a"], good["state_dict"]["a"])
        assert sorted(path.name for path in small_disk.iterdir()) == ["filler", "last.ckpt"]


def fill(file: Path, room: int) -> None:
    """Let the file fill its disk, but for that many bytes."""
    with suppress(OSError), file.open("wb", buffering=0) as opened:
        while opened.write(bytes(4096)):
            pass
    os.truncate(file, file.stat().st_size - room)
