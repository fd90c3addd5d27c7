"""How many more models a CPU second trains where they are one population: `python scripts/benchmarks/population.py`.

`experiment=xor population=256`, whole, with loggers, checkpoints, validation and progress, against a loop of raw
PyTorch that trains one model and writes nothing; each in a process of its own, on one thread, in turn. CPU seconds;
those of the population count from when its packages are imported and, in the last row, from the start of the process.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from figures import PROJECT, Figure, tell

TARGET = 60

RAW = """
import time, torch
from torch import nn
torch.set_num_threads(1)
torch.manual_seed(0)
inputs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
targets = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
model = nn.Sequential(nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 1), nn.Sigmoid())
optimizer, loss = torch.optim.Adam(model.parameters(), lr=0.01), nn.MSELoss()
began = time.process_time()
for _ in range({epochs}):
    for index in torch.randperm(4).split(1):
        optimizer.zero_grad()
        loss(model(inputs[index]), targets[index]).backward()
        optimizer.step()
print("measured", time.process_time() - began)
"""

POPULATION = """
import sys, time
from leyden.cli import main
import leyden.verbs.resume
began = time.process_time()
main(["train", "experiment=xor", "population={members}", "trainer.max_epochs={epochs}", "paths.log_dir={logs}"])
print("measured", time.process_time() - began, time.process_time())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--raw-epochs", type=int, default=1000, help="of the one model of the raw loop")
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    raws, populations = [], []
    for _ in range(arguments.repetitions):
        (raw,) = measured(RAW.format(epochs=arguments.raw_epochs))
        raws.append(raw * arguments.epochs / arguments.raw_epochs)
        logs = Path(tempfile.mkdtemp(prefix="population-"))
        try:
            code = POPULATION.format(members=arguments.members, epochs=arguments.epochs, logs=logs)
            populations.append(measured(code))
        finally:
            shutil.rmtree(logs)
    trained, process = ([seconds[part] for seconds in populations] for part in (0, 1))
    faster, whole = (
        [arguments.members * raw / seconds for raw, seconds in zip(raws, part, strict=True)]
        for part in (trained, process)
    )
    tell(
        [
            Figure("XOR, one model in a raw loop, CPU seconds", raws, unit=" s"),
            Figure(f"XOR, population={arguments.members}, CPU seconds", trained, unit=" s"),
            Figure("models per CPU second, population over raw loop", faster, TARGET, "at least"),
            Figure("the same with the start of the process", whole),
        ]
    )


def measured(code: str) -> list[float]:
    """The seconds that the code prints in a process of its own."""
    completed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(word) for word in completed.stdout.splitlines()[-1].split()[1:]]


if __name__ == "__main__":
    main()
