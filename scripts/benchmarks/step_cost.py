"""What a training step of a tiny model costs, over a hand-written PyTorch loop of the same model on the same data.

    python scripts/benchmarks/step_cost.py                 # XOR and sine: six minutes

CPU time on one thread. What is divided is the time of a long training less that of a short one, so that starting up
is not in it. The raw loop is what one would write by hand, with torch's defaults, nothing logged, nothing saved; beside
it, the same with Adam's fused step, which leyden chooses.
"""

import argparse
import os
import sys
import time
from functools import partial

import torch
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


def raw(experiment: str, epochs: int, fused: bool | None = None) -> float:
    """CPU seconds of a hand-written loop."""
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
    began = time.process_time()
    for _ in range(epochs):
        for indices in torch.randperm(len(inputs)).split(data.batch_size):
            loss = loss_of(model(inputs[indices]), targets[indices])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return time.process_time() - began


def trained(experiment: str, epochs: int, *words: str) -> float:
    """CPU seconds of `python train.py`, in this process."""
    began = time.process_time()
    train(f"experiment={experiment}", f"trainer.max_epochs={epochs}", *words)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--experiments", nargs="+", default=["xor", "sine"])
    arguments = parser.parse_args()
    os.environ["TTY_COMPATIBLE"] = "1"  # Rich then draws its progress bar, as on a terminal
    torch.set_num_threads(1)
    figures = []
    for experiment in arguments.experiments:
        steps = {"xor": 4, "sine": 100}[experiment]  # in an epoch
        short, long = 80 // steps * 10 or 10, 4800 // steps
        timed = {
            "raw": partial(raw, experiment),
            "raw, fused": partial(raw, experiment, fused=True),
            "bare": lambda epochs, e=experiment: trained(e, epochs, *BARE),
            "all": lambda epochs, e=experiment: trained(e, epochs, *EVERYTHING),
        }
        cases = {name: partial(marginal, case, short, long, steps) for name, case in timed.items()}
        for case in cases.values():
            case()  # imports, caches
        found = in_turn(cases, arguments.repetitions)
        for name, values in found.items():
            figures.append(Figure(f"{experiment}: {name}, a step", [1e6 * value for value in values], unit=" µs"))
        limits = {"bare": 1.4, "all": 2.0}
        said = {"bare": "nothing logged", "all": "everything on"}
        for name, limit in limits.items():
            limit_or_none = limit if experiment == "xor" or name == "all" else None
            figures.append(
                Figure(
                    f"{experiment}: {said[name]}, over the raw loop", ratios(found[name], found["raw"]), limit_or_none
                )
            )
            figures.append(
                Figure(
                    f"{experiment}: {said[name]}, over the raw loop with fused Adam",
                    ratios(found[name], found["raw, fused"]),
                )
            )
    tell(figures)


def marginal(case, short: int, long: int, steps: int) -> float:
    """Seconds of each further step."""
    return (case(long) - case(short)) / ((long - short) * steps)


if __name__ == "__main__":
    sys.exit(main())
