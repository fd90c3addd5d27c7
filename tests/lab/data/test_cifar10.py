import hashlib
import io
import pickle
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from conftest import tiny_images
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
from safetensors.torch import load_file, save_file
from torchvision.datasets import CIFAR10

from lab.data import CIFAR10DataModule
from lab.data.cifar10 import MEAN, STD, read
from leyden.errors import UserError

BATCHES = [f"data_batch_{number}" for number in range(1, 6)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a web server over `tmp_path`."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.fixture
def official_archive(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """An archive in the official layout, 20 images a batch, where torchvision looks for it. Returns what is in it."""
    images, labels = tiny_images(100, seed=0)
    test_images, test_labels = tiny_images(20, seed=1)
    members = {"batches.meta": pickle.dumps({"label_names": [str(label) for label in range(10)]})}
    for name, x, y in [
        *zip(BATCHES, images.split(20), labels.split(20), strict=True),
        ("test_batch", test_images, test_labels),
    ]:
        members[name] = pickle.dumps({"data": x.flatten(1).numpy(), "labels": y.tolist()})
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))

    def checksum(content: bytes) -> str:
        return hashlib.md5(content).hexdigest()

    monkeypatch.setattr(CIFAR10, "url", f"{server}/{archive.name}")
    monkeypatch.setattr(CIFAR10, "tgz_md5", checksum(archive.read_bytes()))
    monkeypatch.setattr(CIFAR10, "train_list", [[name, checksum(members[name])] for name in BATCHES])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", checksum(members["test_batch"])]])
    monkeypatch.setattr(
        CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": checksum(members["batches.meta"])}
    )
    return {"train_images": images, "train_labels": labels, "test_images": test_images, "test_labels": test_labels}


def test_the_official_archive_becomes_one_file_that_is_read_from_then_on(
    official_archive: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    data = CIFAR10DataModule(folder, val_images=10)
    data.prepare_data()
    assert [file.name for file in folder.iterdir()] == ["cifar10.safetensors"]
    kept = load_file(folder / "cifar10.safetensors")
    assert {name: tensor.dtype for name, tensor in kept.items()} == {n: t.dtype for n, t in official_archive.items()}
    assert all(torch.equal(kept[name], tensor) for name, tensor in official_archive.items())
    (tmp_path / "cifar-10-python.tar.gz").unlink()
    data.prepare_data()
    train, val, test = data.load()
    assert [len(images) for images, _ in (train, val, test)] == [90, 10, 20]
    assert torch.equal(torch.cat([train[0], val[0]]), official_archive["train_images"])


def test_an_archive_that_was_cut_short_leaves_nothing(official_archive: object, tmp_path: Path) -> None:
    archive = tmp_path / "cifar-10-python.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(
        FileNotFoundError, match=r"^no CIFAR-10: .*cifar10\.safetensors is not there, and downloading it failed"
    ):
        CIFAR10DataModule(tmp_path / "data").prepare_data()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("content", ["text", "other tensors", "images alone"])
def test_a_file_of_something_else_is_named(content: str, tmp_path: Path) -> None:
    file = tmp_path / "cifar10.safetensors"
    if content == "text":
        file.write_text("no tensors")
    else:
        save_file({"train_images" if content == "images alone" else "other": torch.zeros(2, 3, 32, 32)}, file)
    with pytest.raises(ValueError, match=f"^{file} is no"):
        read(file)


def test_at_least_one_image_is_left_to_train_on(tiny_cifar: Path) -> None:
    with pytest.raises(UserError, match="val_images=2400 leaves none of the 2400 training images to train on"):
        CIFAR10DataModule(tiny_cifar, val_images=2400).setup()


def seen(data: CIFAR10DataModule, epochs: int) -> torch.Tensor:
    """The images of each epoch as training sees them, in their own order: [epochs, N, 3, 32, 32]."""
    data.normalize = None
    epoch_images = torch.empty(epochs, 2400, 3, 32, 32, dtype=torch.uint8)

    class Keep(Callback):
        def on_train_batch_start(self, trainer: Trainer, pl_module: object, batch: tuple, batch_idx: int) -> None:
            epoch_images[trainer.current_epoch, trainer.train_dataloader.indices] = batch[0]

    class Untaught(BoringModel):
        def training_step(self, batch: object, batch_idx: int) -> None:
            return None

    arguments = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(accelerator="cpu", max_epochs=epochs, limit_val_batches=0, callbacks=[Keep()], **arguments)
    trainer.fit(Untaught(), datamodule=data)
    return epoch_images


def test_an_alternating_flip_mirrors_each_image_in_every_other_epoch(tiny_cifar: Path) -> None:
    original = read(tiny_cifar / "cifar10.safetensors")["train_images"]
    runs = [
        seen(CIFAR10DataModule(tiny_cifar, 600, val_images=0, shift=0, flip="alternating", seed=seed), epochs)
        for seed, epochs in ((0, 4), (0, 2), (1, 1))
    ]
    mirrored = [(run == original.flip(-1)).flatten(2).all(2) for run in runs]
    assert torch.equal(mirrored[0], ~(runs[0] == original).flatten(2).all(2))
    assert all(torch.equal(now, ~before) for before, now in pairwise(mirrored[0]))
    assert torch.equal(mirrored[0][:2], mirrored[1])
    assert all(1100 < int(which[0].sum()) < 1300 for which in mirrored)
    assert not torch.equal(mirrored[0][0], mirrored[2][0])


def test_what_earlier_runs_say_of_flips_is_understood() -> None:
    assert [CIFAR10DataModule(flip=flip).flip for flip in (True, False)] == ["random", "none"]
    with pytest.raises(ValueError, match=r"^flip=sometimes: choose one of random, alternating, none$"):
        CIFAR10DataModule(flip="sometimes")


def test_the_real_images_have_the_mean_and_deviation_that_they_are_normalised_by(real_cifar: Path) -> None:
    tensors = read(real_cifar / "cifar10.safetensors")
    images = tensors["train_images"]
    assert images.shape == (50_000, 3, 32, 32)
    assert torch.bincount(tensors["train_labels"]).tolist() == [5000] * 10
    assert torch.bincount(tensors["test_labels"]).tolist() == [1000] * 10
    channels = [images[:, channel].float() / 255 for channel in range(3)]
    assert [float(channel.mean()) for channel in channels] == pytest.approx(MEAN, abs=1e-4)
    assert [float(np.std(channel.numpy(), dtype=np.float64)) for channel in channels] == pytest.approx(STD, abs=1e-4)
