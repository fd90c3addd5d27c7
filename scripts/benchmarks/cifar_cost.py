"""What the way of the images costs, and what Lightning adds to a convolutional network.

    python scripts/benchmarks/cifar_cost.py                # five minutes

Batches of 512 images, augmented and normalised, over torchvision's pipeline of PIL images, in images per CPU second on
one thread; CifarCNN's images per second with everything on, over a raw PyTorch loop of the same network, optimizer and
data; the memory of `experiment=cifar10` at its peak, over that of `import lightning`. Images of the size and the number
of CIFAR-10's, of no real thing.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from figures import Figure, in_turn, peak_megabytes, ratios, tell, train
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from lab.data.cifar10 import MEAN, STD, CIFAR10DataModule
from lab.models import CifarCNN
from leyden.training.optimizers import Muon

BATCH = 512


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """Images as torchvision's CIFAR10 gives them."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images.permute(0, 2, 3, 1).contiguous().numpy()
        self.transform = transforms.Compose(
            [
                transforms.ToPILImage(),
                transforms.RandomCrop(32, padding=2, padding_mode="reflect"),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[index]), index % 10


def write_images(folder: Path, train: int, test: int) -> None:
    tensors = {}
    for split, count in (("train", train), ("test", test)):
        tensors[f"{split}_images"] = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8)
        tensors[f"{split}_labels"] = torch.arange(count) % 10
    save_file(tensors, folder / "cifar10.safetensors")


def pil(pictures: Pictures) -> float:
    """Images per CPU second."""
    began = time.process_time()
    for _ in DataLoader(pictures, BATCH, shuffle=True):
        pass
    return len(pictures) / (time.process_time() - began)


def tensors(data: CIFAR10DataModule) -> float:
    """Images per CPU second."""
    began, images = time.process_time(), 0
    for batch in data.train_dataloader():
        inputs = data.normalize(data.augment(batch[0]))  # type: ignore[misc]  # as on_after_batch_transfer does
        images += len(inputs)
    return images / (time.process_time() - began)


def raw(folder: Path, epochs: int) -> float:
    """Seconds of a hand-written loop."""
    data = CIFAR10DataModule(folder, batch_size=500, val_images=BATCH, flip="alternating")
    data.setup()
    assert data.splits
    assert data.normalize
    torch.manual_seed(0)
    model = CifarCNN(norm_scales=False)
    model.whiten.fit(data.normalize(data.splits.train[0][:5000]))
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = Muon(parameters, lr=0.01, momentum=0.6, ns_steps=3, fixed_norm=True, head_scale=6.9, bias_scale=221)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.2)
    loader = data.train_dataloader()
    began = time.perf_counter()
    for epoch in range(epochs):
        loader.set_epoch(epoch)
        for images, labels in loader:
            loss = loss_of(model(data.normalize(data.augment(images))), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return time.perf_counter() - began


def trained(folder: Path, epochs: int) -> float:
    """Seconds of `python train.py`, in this process."""
    words = ["experiment=cifar10", f"trainer.max_epochs={epochs}", f"data.val_images={BATCH}", "optimizer.lr=0.01"]
    words += [f"paths.data_dir={folder}", f"trainer.check_val_every_n_epoch={epochs}"]
    began = time.perf_counter()
    train(*words)
    return time.perf_counter() - began


def marginal(case: Callable[[Path, int], float], folder: Path, images: int) -> float:
    """Images per second, without what a training costs before its second epoch."""
    return 3 * images / (case(folder, 4) - case(folder, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    repetitions = parser.parse_args().repetitions
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder, 50_000, 10_000)
        whole = CIFAR10DataModule(folder, batch_size=BATCH)
        whole.setup()
        assert whole.splits
        pictures = Pictures(whole.splits.train[0][: 8 * BATCH])
        torch.set_num_threads(1)
        batches = in_turn({"pil": partial(pil, pictures), "tensors": partial(tensors, whole)}, repetitions)
        torch.set_num_threads(threads)
        words = ("train.py", "experiment=cifar10", f"paths.data_dir={folder}", f"paths.log_dir={folder}/logs")
        memory = in_turn(
            {
                "lightning": partial(peak_megabytes, "-c", "import lightning.pytorch"),
                "train": partial(peak_megabytes, *words, "trainer.max_steps=20"),
            },
            max(1, repetitions // 2),
        )
        write_images(folder, 2500 + BATCH, BATCH)
        steps = in_turn(
            {"raw": partial(marginal, raw, folder, 2500), "train": partial(marginal, trained, folder, 2500)},
            repetitions,
        )
    more = [one - other for one, other in zip(memory["train"], memory["lightning"], strict=True)]
    tell(
        [
            Figure("CIFAR batches, over PIL", ratios(batches["tensors"], batches["pil"]), 20, "at least"),
            Figure("CifarCNN, over a raw loop", ratios(steps["train"], steps["raw"]), 0.97, "at least"),
            Figure("memory of cifar10, over import lightning", more, 700, unit=" MB"),
        ]
    )


if __name__ == "__main__":
    main()
