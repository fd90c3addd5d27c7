"""Exported models answer as the original does, in processes that know nothing of leyden."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Completed, called, command, leyden
from safetensors import safe_open

from lab.data.cifar10 import CLASSES
from leyden.config.rebuild import rebuild
from leyden.verbs.predict import predictions

NO_LEYDEN = "; assert not [name for name in sys.modules if name.startswith(('leyden', 'lab', 'lightning'))]"


@pytest.mark.parametrize("format", ["onnx", pytest.param("torch_export", marks=pytest.mark.slow)])
def test_an_exported_net_takes_raw_images_in_batches_of_any_size(format: str, cifar_run: Path, tmp_path: Path) -> None:
    file = tmp_path / f"net{'.onnx' if format == 'onnx' else '.pt2'}"
    completed = leyden("export", str(cifar_run), f"format={format}", f"output={file}")
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.startswith("largest difference on 64 real inputs: ")
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    load = {
        "onnx": f"import onnxruntime; net = onnxruntime.InferenceSession({str(file)!r}); "
        "answers = net.run(None, {'inputs': images})[0]; meta = net.get_modelmeta().custom_metadata_map['class_names']",
        "torch_export": "import torch; extra = {'class_names': ''}; "
        f"net = torch.export.load({str(file)!r}, extra_files=extra).module(); "
        "answers = net(torch.from_numpy(images)).detach().numpy(); meta = extra['class_names']",
    }[format]
    probe = f"import sys, numpy; images = numpy.load('images.npy'); {load}; numpy.save('answers', answers); print(meta)"
    answered = command("python", "-c", probe + NO_LEYDEN, cwd=tmp_path)
    assert answered.returncode == 0, answered.stderr
    assert json.loads(answered.stdout) == list(CLASSES)
    expected = predictions(rebuild(str(cifar_run)), torch.from_numpy(images))
    assert np.load(tmp_path / "answers.npy") == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-4)
    used = command("python", f"{file.name}.example.py", cwd=tmp_path)
    assert used.returncode == 0, used.stderr


def test_exported_weights_are_those_of_the_model_and_of_its_normalisation(sine_run: Path) -> None:
    completed = called("export", str(sine_run), "format=safetensors", "force=true")
    assert completed.returncode == 0, completed.stderr
    checkpoint = torch.load(sine_run / "checkpoints" / "best.ckpt", weights_only=True)
    with safe_open(sine_run / "model.safetensors", "pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        assert file.metadata()["model"] == "lab.models.MLPRegressor"
    assert torch.equal(weights["normalize.mean"], checkpoint["NoisySineDataModule"]["normalize"]["mean"])
    assert all(torch.equal(weights[f"model.{name}"], value) for name, value in checkpoint["state_dict"].items())


def test_nothing_is_overwritten_or_half_written(xor_run: tuple[Path, Completed], tmp_path: Path) -> None:
    taken = tmp_path / "net.onnx"
    taken.write_text("mine")
    for words, message in (
        (["format=onnx", f"output={taken}"], f"output={taken} is there already; force=true writes over it"),
        (["format=onnx", "output=net.pt"], "output=net.pt: a file of format=onnx must end in .onnx"),
        (
            ["format=onnx", f"output={tmp_path}/no/net.onnx"],
            f"output={tmp_path}/no/net.onnx: {tmp_path}/no is no folder that",
        ),
    ):
        completed = called("export", str(xor_run[0]), *words)
        assert completed.returncode == 1
        assert completed.stderr.startswith(f"error: {message}")
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]
    assert taken.read_text() == "mine"
