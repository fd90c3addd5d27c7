"""Devices that are asked for and are not there; the machines are made up."""

import pytest
import torch
from omegaconf import OmegaConf

from leyden.config.devices import absent_devices
from leyden.config.origin import Origin

CHOICE = "choose trainer=cpu, or trainer=auto for whatever there is"
ONE, TWO = "there is 1 GPU, number 0", "there are 2 GPUs, 0 to 1"


@pytest.mark.parametrize(("gpus", "accelerator", "devices", "said"), [
    (0, "gpu", 1, f"trainer.accelerator=gpu: torch finds no GPU on this machine; {CHOICE}"),
    (0, "cuda", 4, f"trainer.accelerator=cuda: torch finds no GPU on this machine; {CHOICE}"),
    (2, "mps", 1, f"trainer.accelerator=mps: torch finds no GPU of Apple's on this machine; {CHOICE}"),
    (2, "tpu", 1, f"trainer.accelerator=tpu: torch finds no TPU on this machine; {CHOICE}"),
    (0, "auto", 4, None),
    (0, "cpu", 64, None),
    (1, "cpu", 64, None),
    (1, "gpu", 1, None),
    (1, "gpu", -1, None),
    (1, "gpu", "auto", None),
    (1, "gpu", 4, f"trainer.devices=4: {ONE}"),
    (1, "auto", 2, f"trainer.devices=2: {ONE}"),
    (1, "gpu", [7], f"trainer.devices=[7]: {ONE}"),
    (2, "gpu", [0, 1], None),
    (2, "cuda", "0,1", None),
    (2, "gpu", "1,2", f"trainer.devices='1,2': {TWO}"),
    (2, "gpu", "three", None),
    (2, "gpu", 1.5, None),
    (2, "nonsense", 1, None),
    (2, {"_target_": "lab.Accelerator"}, 1, None),
])  # fmt: skip
def test_what_is_said(
    gpus: int, accelerator: object, devices: object, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    config = OmegaConf.create({"trainer": {"accelerator": accelerator, "devices": devices}})
    assert [str(each) for each in absent_devices(config, Origin(()))] == ([] if said is None else [said])


def test_where_it_was_asked_for_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    config = OmegaConf.create({"trainer": {"accelerator": "gpu", "devices": 4}})
    (problem,) = absent_devices(config, Origin(["trainer.devices=4"]))
    assert str(problem) == f"trainer.devices=4 (on the command line): {ONE}"


def test_a_trainer_without_such_arguments_is_taken_for_right() -> None:
    assert absent_devices(OmegaConf.create({"trainer": {"_target_": "lab.Trainer"}}), Origin(())) == []
    assert absent_devices(OmegaConf.create({"trainer": None}), Origin(())) == []
