"""How the cost of a step grows: with epochs, logged values, samples in memory and parameters.

    python scripts/benchmarks/growth.py                    # writes docs/growth.png; a quarter of an hour

Steps per CPU second of SimpleNet on one thread, with everything on, from the first batch to the end of training: what
starting up takes is not in it, nor are figures, of which there are as many however long a training is. Beside it a
hand-written loop of the same model on the same data, which logs and saves nothing.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from clocks import FitClock
from figures import PROJECT, in_turn, train
from matplotlib import pyplot as plt
from torch import nn

from lab.models import SimpleNet

STEPS = 2000
POINTS = {
    "epochs": (10, 100, 1000, 10_000),
    "logged values": (1, 2, 5, 10, 20),
    "samples": (4, 100, 10_000, 1_000_000),
    "parameters": (9, 101, 1001, 10_001, 100_001, 1_000_001, 10_000_001),
}
TITLES = {
    "epochs": "trained for so many epochs",
    "logged values": "logging so many values an epoch",
    "samples": "with so many samples in memory",
    "parameters": "of a model with so many parameters",
}


def steps(axis: str, point: int) -> int:
    """How many are trained there."""
    if axis == "epochs":
        return 4 * point
    return max(40, min(STEPS, 20_000_000 // point)) if axis == "parameters" else STEPS


def words(axis: str, point: int) -> list[str]:
    """What is added to `experiment=xor` at that point."""
    return {
        "epochs": [f"trainer.max_epochs={point}"],
        "logged values": [
            f"trainer.max_epochs={STEPS // 4}",
            "trainer.check_val_every_n_epoch=1",
            "+callbacks.more._target_=clocks.LogMore",
            f"+callbacks.more.count={point}",
        ],
        "samples": [
            "data._target_=clocks.ManyPoints",
            f"+data.samples={point}",
            f"+trainer.limit_train_batches={min(point, 1000)}",
            f"trainer.max_epochs={STEPS // min(point, 1000)}",
        ],
        "parameters": [
            f"model.hidden_features={point // 4}",
            f"trainer.max_epochs={steps(axis, point) // 4}",
        ],
    }[axis]


def trained(axis: str, point: int) -> float:
    """Steps per CPU second of `python train.py`, in this process."""
    clock = ["targets=[lab,clocks]", "+callbacks.clock._target_=clocks.FitClock"]
    train("experiment=xor", "figures=none", *clock, *words(axis, point))
    return steps(axis, point) / FitClock.seconds


def raw(axis: str, point: int) -> float:
    """Steps per CPU second of a hand-written loop."""
    samples, count = point if axis == "samples" else 4, steps(axis, point)
    inputs = torch.rand(samples, 2).round()
    targets = (inputs[:, :1] != inputs[:, 1:]).float()
    model = SimpleNet(point // 4 if axis == "parameters" else 4).layers
    loss_of, optimizer = nn.MSELoss(), torch.optim.Adam(model.parameters(), lr=0.01)
    began, done = time.process_time(), 0
    while done < count:
        for indices in torch.split(torch.randperm(samples)[: count - done], 1):
            loss = loss_of(model(inputs[indices]), targets[indices])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1
    return done / (time.process_time() - began)


def measured(case: Callable[[str, int], float], axis: str, repetitions: int) -> list[float]:
    """The median at each point of the axis."""
    cases = {str(point): partial(case, axis, point) for point in POINTS[axis]}
    return [statistics.median(values) for values in in_turn(cases, repetitions).values()]


def plot(curves: dict[str, dict[str, list[float]]], file: Path) -> None:
    figure, panels = plt.subplots(1, len(curves), figsize=(14, 3.6), sharey=True, layout="constrained")
    for panel, (axis, of_kinds) in zip(panels, curves.items(), strict=True):
        for (kind, values), style in zip(of_kinds.items(), ("o-", "s--"), strict=True):
            panel.loglog(POINTS[axis], values, style, label=kind, color={"o-": "#0072b2", "s--": "#d55e00"}[style])
        panel.set(title=TITLES[axis], xlabel=axis)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("steps per CPU second")
    panels[0].legend()
    file.parent.mkdir(exist_ok=True)
    figure.savefig(file, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--output", type=Path, default=PROJECT / "docs" / "growth.png")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train("experiment=xor", "trainer.max_epochs=10")  # imports
    curves = {
        axis: {
            "leyden, everything on": measured(trained, axis, arguments.repetitions),
            "a raw loop, nothing logged": measured(raw, axis, arguments.repetitions),
        }
        for axis in POINTS
    }
    for axis, of_kinds in curves.items():
        for kind, values in of_kinds.items():
            row = ", ".join(f"{point:,}: {value:,.0f}" for point, value in zip(POINTS[axis], values, strict=True))
            print(f"{axis} ({kind}), steps per CPU second: {row}")
    plot(curves, arguments.output)


if __name__ == "__main__":
    main()
