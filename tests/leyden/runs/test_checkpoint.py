from pathlib import Path

import pytest
import torch
from torch import nn

from leyden.errors import UserError
from leyden.runs.checkpoint import load_checkpoint, load_weights


def saved(file: Path, content: object) -> Path:
    torch.save(content, file)
    return file


def test_weights_are_put_back_as_they_were(tmp_path: Path) -> None:
    first, second = nn.Linear(2, 3), nn.Linear(2, 3)
    load_weights(second, saved(tmp_path / "last.ckpt", {"state_dict": first.state_dict()}))
    assert torch.equal(first.weight, second.weight)


class Code:
    """Where it is unpickled, a file is made."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> object:
        return Path.touch, (self.file,)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    file = saved(tmp_path / "last.ckpt", {"state_dict": Code(tmp_path / "it_ran")})
    with pytest.raises(UserError, match="is damaged or no checkpoint"):
        load_checkpoint(file)
    assert not (tmp_path / "it_ran").exists()


def test_what_cannot_be_loaded_is_said_in_one_line(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole.ckpt", {"state_dict": nn.Linear(2, 3).state_dict()})
    cut = tmp_path / "cut.ckpt"
    cut.write_bytes(whole.read_bytes()[:1000])
    (tmp_path / "text.ckpt").write_text("no checkpoint")
    (tmp_path / "empty.ckpt").touch()
    saved(tmp_path / "other.ckpt", [1, 2])
    messages = {
        "absent": "there is no such checkpoint",
        "cut": "is damaged or no checkpoint",
        "text": "is damaged or no checkpoint",
        "empty": "is damaged or no checkpoint",
        "other": "is no checkpoint: it holds no state_dict",
    }
    for name, message in messages.items():
        with pytest.raises(UserError, match=message) as error:
            load_checkpoint(tmp_path / f"{name}.ckpt")
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="is a checkpoint of another model: size mismatch for weight"):
        load_weights(nn.Linear(2, 4), whole)
