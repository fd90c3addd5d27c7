from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule
from torch import nn

from leyden.errors import UserError
from leyden.runs.checkpoint import check_hyperparameters, init_weights, load_weights
from leyden.training.checkpoint_io import load_checkpoint


def saved(file: Path, content: object) -> Path:
    torch.save(content, file)
    return file


def test_weights_are_put_back_as_they_were(tmp_path: Path) -> None:
    first, second = nn.Linear(2, 3), nn.Linear(2, 3)
    file = saved(tmp_path / "last.ckpt", {"state_dict": first.state_dict()})
    load_weights(second, load_checkpoint(file), file)
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
        load_weights(nn.Linear(2, 4), load_checkpoint(whole), whole)


def test_initial_weights_are_those_that_fit_and_the_others_are_named(tmp_path: Path) -> None:
    def network(width: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(2, width), nn.Linear(width, 1))

    file = saved(tmp_path / "a.ckpt", {"state_dict": (given := network(3)).state_dict()})
    same = network(3)
    init_weights(same, str(file), strict=True)
    assert all(torch.equal(a, b) for a, b in zip(same.parameters(), given.parameters(), strict=True))
    wider = network(4)
    fresh = wider[0].weight.clone()
    with pytest.raises(UserError, match=r"these layers do not match: 0\.bias, 0\.weight, 1\.weight; strict=false"):
        init_weights(wider, str(file), strict=True)
    init_weights(wider, str(file), strict=False)
    assert torch.equal(wider[1].bias, given[1].bias)
    assert torch.equal(wider[0].weight, fresh)
    with pytest.raises(UserError, match="no layer matches"):
        init_weights(nn.Conv2d(1, 1, 3), str(file), strict=False)


class Model(LightningModule):
    def __init__(self, value: object) -> None:
        super().__init__()
        self.save_hyperparameters()


def test_a_hyperparameter_that_no_safe_checkpoint_can_hold_is_named_before_training() -> None:
    check_hyperparameters(Model({"widths": [1, 2], "name": "net", "rate": 0.1, "none": None}))
    with pytest.raises(UserError, match=r"^Model: its hyper-parameter value is a PosixPath, which no safe checkpoint"):
        check_hyperparameters(Model(Path("data")))
