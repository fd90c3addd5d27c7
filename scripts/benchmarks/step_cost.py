"""What a training step of a tiny model costs, over a hand-written PyTorch loop of the same model on the same data.

    python scripts/benchmarks/step_cost.py                 # XOR and sine: six minutes

CPU time on one thread: of each training the median over parts of 400 steps (XOR) and 2,000 (sine), without the first
part. The raw loop is what one would write by hand, with torch's defaults, nothing logged, nothing saved; beside
it, the same with Adam's fused step, which leyden chooses.
"""

import argparse
import os
import statistics
import time
from functools import partial

import torch
from clocks import TrainingClock
from figures import Figure, in_turn, ratios, tell, train
from torch import nn

BARE = (
    "logger=none",
    "callbacks=no_checkpoints",
    "callbacks.progress=null",
    "+trainer.enable_progress_bar=false",
    "guard=off",
    "trainer.check_val_every_n_epoch=1000000",
)
EVERYTHING = ("trainer=cpu",)  # the defaults


EPOCHS = {"xor": 100, "sine": 20}  # of one part: several validations of XOR, one of sine; 400 and 2,000 steps
PARTS = {"xor": 8, "sine": 3}


def raw(experiment: str, fused: bool | None = None) -> float:
    """CPU seconds of a step of a hand-written loop."""
    from lab.data import NoisySineDataModule, XORDataModule
    from lab.models import MLPRegressor, SimpleNet

    data = XORDataModule(batch_size=1) if experiment == "xor" else NoisySineDataModule()
    data.setup()
    assert data.splits is not None
    inputs, targets = data.splits.train[:2]
    inputs = inputs if data.normalize is None else data.normalize(inputs)
    torch.manual_seed(0)
    model = (SimpleNet() if experiment == "xor" else MLPRegressor()).layers
    loss_of, optimizer = nn.MSELoss(), torch.optim.Adam(model.parameters(), lr=0.01, fused=fused)
    seconds = []
    for _ in range(PARTS[experiment]):
        began, steps = time.process_time(), 0
        for _ in range(EPOCHS[experiment]):
            for indices in torch.split(torch.randperm(len(inputs)), data.batch_size):
                loss = loss_of(model(inputs[indices]), targets[indices])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                steps += 1
        seconds.append((time.process_time() - began) / steps)
    return statistics.median(seconds)


def trained(experiment: str, *words: str) -> float:
    """CPU seconds of a step of `python train.py`, in this process."""
    every = EPOCHS[experiment]
    clock = [
        "targets=[lab,clocks]",
        "+callbacks.clock._target_=clocks.TrainingClock",
        f"+callbacks.clock.every={every}",
    ]
    train(f"experiment={experiment}", f"trainer.max_epochs={every * (PARTS[experiment] + 1) + 1}", *clock, *words)
    return statistics.median(TrainingClock.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--experiments", nargs="+", default=["xor", "sine"])
    arguments = parser.parse_args()
    os.environ["TTY_COMPATIBLE"] = "1"  # Rich then draws its progress bar, as on a terminal
    torch.set_num_threads(1)
    figures = []
    for experiment in arguments.experiments:
        cases = {
            "raw": partial(raw, experiment),
            "raw, fused": partial(raw, experiment, fused=True),
            "bare": partial(trained, experiment, *BARE),
            "all": partial(trained, experiment, *EVERYTHING),
        }
        for case in cases.values():
            case()  # imports, caches
        found = in_turn(cases, arguments.repetitions)
        for name, values in found.items():
            figures.append(Figure(f"{experiment}: {name}, a step", [1e6 * value for value in values], unit=" µs"))
        for name, said, limit in (("bare", "nothing logged", 1.4), ("all", "everything on", 2.0)):
            target = limit if experiment == "xor" or name == "all" else None
            over = {
                "raw": f"{experiment}: {said}, over the raw loop",
                "raw, fused": f"{experiment}: {said}, with Adam fused",
            }
            figures.append(Figure(over["raw"], ratios(found[name], found["raw"]), target))
            figures.append(Figure(over["raw, fused"], ratios(found[name], found["raw, fused"])))
    tell(figures)


if __name__ == "__main__":
    main()
