import sys
import traceback
from pathlib import Path

import pytest
from conftest import PROJECT, called, train

from leyden.errors import UserError
from leyden.faults import asked_for, folded, is_out_of_memory
from leyden.project import project_folder

OWN = """
import torch
from lab.models import SimpleNet

class Faulty(SimpleNet):
    def training_step(self, batch, batch_idx):
        return self.grow(batch[0])

    def grow(self, inputs):
        if self.hparams.hidden_features == 3:
            torch.empty(10**15)
        return self(inputs.repeat(1, 2)).sum()

class Detached(SimpleNet):
    def __init__(self, hidden_features: int) -> None:
        super().__init__(hidden_features or 4)
        if not hidden_features:
            0 + "path"

    def forward(self, inputs):
        return super().forward(inputs).detach()
"""


@pytest.fixture
def own_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A project's own model that raises in its first step: of wrong shapes, or with 3 features of too much memory."""
    (tmp_path / "faulty.py").write_text(OWN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    return ["experiment=xor", "model._target_=faulty.Faulty", "targets=[lab,faulty]", f"paths.log_dir={tmp_path}/logs"]


def test_of_what_raises_in_training_the_users_own_frames_are_shown(own_model: list[str]) -> None:
    completed = train(*own_model)
    assert completed.returncode == 1
    lines = completed.stderr.splitlines()
    frames = [line.split(", in ")[1] for line in lines if line.startswith("  File ")]
    assert frames == ["training_step", "grow", "forward"]
    assert lines[-3:-1] == [
        "RuntimeError: addmm: mat1 and mat2 shapes cannot be multiplied (1x4 and 2x4)",
        "faulty.Faulty had a batch of lab.data.XORDataModule: [1, 2], [1, 1]",
    ]
    assert lines[-1].endswith("frames of the engine and its libraries: full_traceback=true shows them)")


def test_of_what_a_worker_raises_the_users_own_frames_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT / "tests"), prepend=":")
    data = ("data._target_=plain_lightning.Unreadable", "~data.seed", "targets=[lab,plain_lightning]")
    completed = train("experiment=xor", *data, f"paths.log_dir={tmp_path}")
    assert completed.returncode == 1
    lines = completed.stderr.splitlines()
    assert [line.split(", in ")[1] for line in lines if line.startswith("  File ")] == ["__getitem__"]
    assert lines[-2:] == [
        "ValueError: image 0 cannot be read",
        "(in DataLoader worker process 0; without all other frames: full_traceback=true shows them)",
    ]
    assert len(lines) < 8


@pytest.mark.parametrize(("features", "said"), [
    (1, "faulty.Detached: no gradient leads from its loss to its parameters: are they all frozen, or is something on "
     "the way detached, under torch.no_grad, or not torch's?"),
    (0, "model (faulty.Detached, FOLDER/faulty.py:18): unsupported operand type(s) for +: 'int' and 'str'"),
])  # fmt: skip
def test_what_a_model_of_ones_own_does_is_told_in_one_line(
    features: int, said: str, own_model: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "faulty", raising=False)
    words = "model._target_=faulty.Detached", f"model.hidden_features={features}", "~model.hidden_activation"
    completed = called("train", own_model[0], *own_model[2:], *words)
    assert (completed.returncode, completed.stderr) == (1, f"error: {said}\n".replace("FOLDER", str(tmp_path)))


def test_with_full_traceback_all_frames_are_shown(own_model: list[str]) -> None:
    said = train(*own_model, "full_traceback=true").stderr
    assert "trainer.fit(" in said
    assert "of the engine and its libraries" not in said


def test_too_little_memory_is_told_with_what_would_need_less(own_model: list[str]) -> None:
    completed = train(*own_model, "model.hidden_features=3")
    assert completed.returncode == 1
    assert completed.stderr == (
        "error: too little memory for 4000000000000000 bytes with data.batch_size=1 and trainer.precision=32-true: "
        "try a smaller batch_size (with trainer.accumulate_grad_batches as many samples still make a step), or "
        "trainer.precision=bf16-mixed\n"
    )


def test_a_fault_of_the_engine_keeps_all_its_frames() -> None:
    with pytest.raises(UserError) as caught:
        project_folder(Path("/"))
    error = caught.value.with_traceback(caught.tb.tb_next)  # without the frame of this test
    assert folded(error) == "".join(traceback.format_exception(error))
    assert "in project_folder" in folded(error)


def test_what_a_gpu_says_of_its_memory_is_understood() -> None:
    error = RuntimeError("CUDA out of memory. Tried to allocate 183.30 GiB. GPU 0 has a total capacity of 79.18 GiB")
    assert is_out_of_memory(error)
    assert asked_for(error) == " for 183.30 GiB"
    assert not is_out_of_memory(RuntimeError("CUDA error: device-side assert triggered"))
