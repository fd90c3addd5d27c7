"""CIFAR-10: 60,000 photographs of 32 x 32 pixels, ten classes (Krizhevsky 2009)."""

import os
import tempfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torchvision.datasets import CIFAR10

from leyden.training import Splits, TensorDataModule, TensorLoader
from leyden.training.augment import Standardize, flip_half, random_flip, random_shift

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
FLIPS = ("random", "alternating", "none")


class CIFAR10DataModule(TensorDataModule):
    """Images uint8 [N, 3, 32, 32] and classes int64 [N], augmented by flips and shifts, normalised by channel.

    They are read from `<data_dir>/cifar10.safetensors` with the tensors `train_images`, `train_labels`, `test_images`
    and `test_labels`. Where that file is not, torchvision downloads and checks the official archive (170 MB), and the
    file is made of it once. The last `val_images` training images are held out for validation; with 0 there is none.
    `flip` mirrors images at random, or, alternating, each of them in every other epoch.

    Raises FileNotFoundError where there is neither the file nor a network, ValueError for a file that is none of
    CIFAR-10 and for a `flip` that it does not know.
    """

    class_names = CLASSES

    def __init__(
        self,
        data_dir: str | os.PathLike[str] = "data",
        batch_size: int = 250,
        val_images: int = 2000,
        shift: int = 2,
        flip: str | bool = "random",
        seed: int = 0,
        eval_batch_size: int = 1000,
    ) -> None:
        super().__init__(batch_size, seed, eval_batch_size)
        self.file = Path(data_dir) / "cifar10.safetensors"
        self.val_images = val_images
        self.shift = shift
        if not isinstance(flip, bool) and flip not in FLIPS:
            raise ValueError(f"flip={flip}: choose one of {', '.join(FLIPS)}")
        self.flip = flip if isinstance(flip, str) else "random" if flip else "none"  # earlier runs say true or false
        self.normalize = Standardize(torch.tensor(MEAN), torch.tensor(STD))

    def prepare_data(self) -> None:
        if not self.file.exists():
            download(self.file)

    def load(self) -> Splits:
        tensors = read(self.file)
        images, labels = tensors["train_images"], tensors["train_labels"]
        cut = len(images) - self.val_images
        if cut < 1:
            raise ValueError(
                f"val_images={self.val_images} leaves none of the {len(images)} training images to train on"
            )
        test = tensors["test_images"], tensors["test_labels"]
        return Splits((images[:cut], labels[:cut]), (images[cut:], labels[cut:]), test)

    def train_dataloader(self) -> TensorLoader:
        loader = super().train_dataloader()
        if self.flip == "alternating":
            images, *others = loader.tensors
            loader.tensors = flip_half(images, self.seed), *others
        return loader

    def augment(self, inputs: Tensor) -> Tensor:
        if self.flip == "random":
            inputs = random_flip(inputs)
        elif self.flip == "alternating" and self.trainer is not None and self.trainer.current_epoch % 2:
            inputs = inputs.flip(-1)
        return random_shift(inputs, self.shift) if self.shift else inputs


def read(file: Path) -> dict[str, Tensor]:
    """The four tensors. Raises ValueError where the file is damaged or holds something else."""
    try:
        tensors = load_file(file)
    except SafetensorError as error:
        raise ValueError(f"{file} is no readable safetensors file ({error}): delete it, and it is made anew") from error
    for split in ("train", "test"):
        images, labels = tensors.get(f"{split}_images"), tensors.get(f"{split}_labels")
        if images is None or labels is None or images.shape != (len(labels), 3, 32, 32) or images.dtype != torch.uint8:
            raise ValueError(f"{file} is not CIFAR-10: {split}_images must be uint8 [N, 3, 32, 32], {split}_labels [N]")
    return tensors


def download(file: Path) -> None:
    """Write `file` whole, by rename, from the official archive. Raises FileNotFoundError where it cannot be had."""
    with tempfile.TemporaryDirectory() as folder:
        tensors: dict[str, Tensor] = {}
        try:
            for split in ("train", "test"):
                dataset = CIFAR10(folder, train=split == "train", download=True)
                tensors[f"{split}_images"] = torch.from_numpy(dataset.data).permute(0, 3, 1, 2).contiguous()
                tensors[f"{split}_labels"] = torch.tensor(dataset.targets)
        except (OSError, RuntimeError) as error:
            raise FileNotFoundError(
                f"no CIFAR-10: {file.absolute()} is not there, and downloading it failed ({error}); put that "
                "file there (paths.data_dir=DIR names another folder), or run once with a network"
            ) from error
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        save_file(tensors, partial)
        partial.chmod(0o644)  # safetensors makes it its owner's alone
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
