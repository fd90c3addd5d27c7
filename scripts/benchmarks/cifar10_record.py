"""`experiment=cifar10_fast` beside a raw loop of the same method, on one GPU: seconds and accuracy.

    LEYDEN_DATA_DIR=DIR python scripts/benchmarks/cifar10_record.py             # 20 runs of each, in turn
    python scripts/benchmarks/cifar10_record.py --compile                       # with torch.compile, start included

The raw loop has the same model, optimizer, schedule, precision and augmentation, and nothing else. The other is the
ordinary command with its ordinary run folder. Both train in one process, in turn, with a seed for each pair; a first
pair warms the GPU up, and is told apart. Seconds are those from the first batch to the end of the last step, without
the start (reading the images, whitening) and the test. Where there is no GPU nothing is measured.

The record to stand beside is airbench94 (Muon): 94.01 % over 200 runs in 2.59 s on an A100.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from rich.table import Table

from lab.data import CIFAR10DataModule
from lab.models import CifarCNN
from leyden.cli import main as leyden
from leyden.config.app import use_paths_of
from leyden.config.build import build_data, build_model, seed_all
from leyden.config.words import VERSION_BASE
from leyden.sweeps.summary import student
from leyden.training.augment import random_shift

PROJECT = Path(__file__).parents[2]
TARGET_RATIO, TARGET_ACCURACY = 1.15, 0.94


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="of each way, after the first pair (default: 20)")
    parser.add_argument("--compile", action="store_true", help="torch.compile both")
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu", help="cpu: to try this script out")
    parser.add_argument("overrides", nargs="*", help="of both ways: data.batch_size=1000")
    arguments = parser.parse_args()
    if arguments.device == "gpu" and not torch.cuda.is_available():
        print("not measured: no GPU")
        return
    print(torch.cuda.get_device_name() if arguments.device == "gpu" else "a CPU: these seconds say nothing of a GPU")
    words = ["experiment=cifar10_fast", f"trainer={arguments.device}", f"compile={arguments.compile}".lower()]
    words += arguments.overrides
    pairs = []
    for seed in range(arguments.runs + 1):
        pairs.append((raw([*words, f"seed={seed}"]), ordinary([*words, f"seed={seed}"])))
        print(f"seed {seed}: raw {told(pairs[-1][0])}, Trainer {told(pairs[-1][1])}", flush=True)
    (first_raw, first), *pairs = pairs
    print(f"the first pair, with all that starts up: raw {first_raw[0]:.2f} s, Trainer {first[0]:.2f} s")
    if len(pairs) > 1:
        Console(width=120).print(*tables(pairs))


Outcome = tuple[float, float]  # seconds of training, accuracy on the test images


def told(outcome: Outcome) -> str:
    return f"{outcome[0]:.3f} s {outcome[1]:.2%}"


def tables(pairs: list[tuple[Outcome, Outcome]]) -> list[Table]:
    """Seconds and their ratio, and accuracies with a 95 % interval of the mean."""
    raws, trainers = zip(*pairs, strict=True)
    ratios = [trainer[0] / raw[0] for raw, trainer in pairs]
    seconds = Table("seconds of training", "lowest", "median", "highest", "target", box=None, pad_edge=False)
    for name, values, target in (
        ("raw loop", [seconds for seconds, _ in raws], ""),
        ("Trainer", [seconds for seconds, _ in trainers], ""),
        ("Trainer over raw loop", ratios, f"at most {TARGET_RATIO}"),
    ):
        shown = (f"{choose(values):.3f}" for choose in (min, statistics.median, max))
        seconds.add_row(name, *shown, target)
    accuracy = Table("accuracy", "runs", "mean", "95 %", "target", box=None, pad_edge=False)
    for name, outcomes in (("raw loop", raws), ("Trainer", trainers)):
        values = [value for _, value in outcomes]
        interval = student(len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
        accuracy.add_row(
            name, str(len(values)), f"{statistics.mean(values):.2%}", f"± {interval:.2%}", f"{TARGET_ACCURACY:.1%}"
        )
    return [seconds, accuracy]


class Clock(Callback):
    """Seconds from the first batch to the end of training; of the last training, in `Clock.seconds`."""

    seconds = 0.0
    began = 0.0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == 0:
            Clock.began = now()

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        if trainer.is_last_batch and trainer.current_epoch + 1 == trainer.max_epochs:
            Clock.seconds = now() - Clock.began


def now() -> float:
    """Seconds, when all that was begun is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def ordinary(words: list[str]) -> Outcome:
    """An ordinary run, in a folder that is deleted afterwards."""
    import cifar10_record  # this file, as the config names it

    watched = ["+callbacks.clock._target_=cifar10_record.Clock", "targets=[lab,cifar10_record]"]
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
        leyden(["train", *words, *watched, f"paths.log_dir={folder}"], project=PROJECT)
        (result,) = Path(folder).glob("*/*/result.json")
        metrics = json.loads(result.read_text())["metrics"]
    return cifar10_record.Clock.seconds, metrics["test/accuracy"]


def raw(words: list[str]) -> Outcome:
    """The same training by a plain loop, from the same config."""
    use_paths_of(PROJECT)
    with initialize_config_dir(str(PROJECT / "configs"), version_base=VERSION_BASE):
        config = compose("train", [*words, "paths.run_dir=none"])
    device = torch.device("cuda" if config.trainer.accelerator == "gpu" else "cpu")
    mixed = partial(torch.autocast, device.type, torch.bfloat16, enabled=config.trainer.precision == "bf16-mixed")
    seed_all(config)
    torch.backends.cudnn.benchmark = config.trainer.benchmark
    data, model = build_data(config), build_model(config).to(device)
    assert isinstance(data, CIFAR10DataModule)
    assert isinstance(model, CifarCNN)
    batches = data.train_dataloader()
    assert data.normalize
    assert data.splits
    assert model.make_scheduler
    normalize = data.normalize.to(device)
    model.whiten.fit(normalize(data.splits.train[0][:5000].to(device)))
    batches.tensors = tuple(tensor.to(device) for tensor in batches.tensors)
    steps = config.trainer.max_epochs * len(batches)
    optimizer = model.make_optimizer([parameter for parameter in model.parameters() if parameter.requires_grad])
    scheduler = model.make_scheduler(optimizer, total_steps=steps)
    began = now()
    for epoch in range(config.trainer.max_epochs):
        model.whiten_learns = epoch < config.model.whiten_epochs
        batches.set_epoch(epoch)
        for images, labels in batches:
            images = random_shift(images.flip(-1) if epoch % 2 else images, config.data.shift)
            with mixed():
                loss = model.loss(model(normalize(images)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
    seconds = now() - began
    model.eval()
    split = (torch.split(tensor.to(device), config.data.eval_batch_size) for tensor in data.splits.test)
    with torch.inference_mode(), mixed():
        right = [model(normalize(images)).argmax(1) == labels for images, labels in zip(*split, strict=True)]
    return seconds, float(torch.cat(right).float().mean())


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
