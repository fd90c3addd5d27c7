"""What whole commands cost in CPU seconds, imports and all.

    python scripts/benchmarks/command_cost.py              # five minutes

`experiment=xor` from Enter to the final table, over a script that trains the same 1,000 epochs by hand and writes
nothing; the way to the first optimizer step, over `import torch` and one step of Adam; and `--help`, `--cfg job` and a
misspelt override, over a program that imports what lightning-hydra-template imports before it can answer.
"""

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path

from figures import Figure, command_seconds, in_turn, ratios, tell

RAW = """
import torch
from torch import nn
torch.manual_seed(0)
inputs, targets = torch.tensor([[0., 0.], [0., 1.], [1., 0.], [1., 1.]]), torch.tensor([[0.], [1.], [1.], [0.]])
model = nn.Sequential(nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 1), nn.Sigmoid())
loss_of, optimizer = nn.MSELoss(), torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(EPOCHS):
    for indices in torch.randperm(4).split(1):
        loss = loss_of(model(inputs[indices]), targets[indices])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
ONE_STEP = """
import torch
weight = torch.nn.Parameter(torch.ones(1))
optimizer = torch.optim.Adam([weight])
weight.sum().backward()
optimizer.step()
"""
TEMPLATE = """
import hydra, lightning, torch, torchvision, torchmetrics
from lightning import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.loggers import Logger
hydra.main(config_path=None, version_base="1.3")(print)()
"""
FIRST = ("targets=[lab,clocks]", "+callbacks.first._target_=clocks.FirstStep")
LIGHT = {
    "--help": ("--help",),
    "--cfg job": ("experiment=xor", "--cfg", "job"),
    "a misspelt override": ("experiment=xor", "optimizer.lrr=1"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    repetitions = parser.parse_args().repetitions
    os.environ |= {"OMP_NUM_THREADS": "1", "TTY_COMPATIBLE": "1"}
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory() as logs:
        train = partial(command_seconds, "train.py", f"paths.log_dir={logs}")
        cases = {
            "by hand": partial(command_seconds, "-c", RAW.replace("EPOCHS", "1000")),
            "train": partial(train, "experiment=xor"),
            "one step": partial(command_seconds, "-c", ONE_STEP),
            "first step": partial(train, "experiment=xor", *FIRST),
            "template": partial(command_seconds, "-c", TEMPLATE, "--help"),
            **{name: partial(command_seconds, "train.py", *words) for name, words in LIGHT.items()},
        }
        for case in cases.values():
            case()  # files into memory
        found = in_turn(cases, repetitions)
    seconds = [Figure(f"{name}: CPU seconds", values, unit=" s") for name, values in found.items()]
    tell(
        [
            *seconds,
            Figure("experiment=xor, the whole command, over a script", ratios(found["train"], found["by hand"]), 1.5),
            Figure("to the first step, over torch and one step", ratios(found["first step"], found["one step"]), 1.15),
            *(
                Figure(f"{name}, over the template's imports", ratios(found[name], found["template"]), 0.12)
                for name in LIGHT
            ),
        ]
    )


if __name__ == "__main__":
    main()
