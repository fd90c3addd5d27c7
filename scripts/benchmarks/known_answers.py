"""Measure the known answers of XOR and of the wave over many seeds: `python scripts/benchmarks/known_answers.py`.

Prints what the README's table of experiments says: how many seeds solve XOR after 500 and after 1,000 epochs, and the
errors against the noiseless curve, for draws of the noise and seeds of the training. All seeds are trained together in
batched matrix products (tests/populations.py); with the defaults about ten minutes on one core.
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from statistics import mean, median

import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from populations import seeded, train_population

from lab.data import NoisySineDataModule, XORDataModule
from lab.models import MLPRegressor, SimpleNet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8, help="seeds of the training of the wave (default: 8)")
    parser.add_argument("--noise-seeds", type=int, default=48, help="draws of the noise (default: 48)")
    parser.add_argument("--epochs", type=int, default=1000, help="epochs of every training (default: 1000)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for epochs in (arguments.epochs // 2, arguments.epochs):
        print(f"xor, {epochs} epochs: {solved(epochs):.0%} of 64 seeds solve it")
    draws = [(noise, seed) for noise in range(arguments.noise_seeds) for seed in range(arguments.seeds)]
    for standardize in (True, False):
        errors = wave_errors(draws, standardize, arguments.epochs)
        first = errors[: arguments.seeds]
        print(f"wave, inputs {'scaled' if standardize else 'as they are'}, error against the noiseless curve:")
        print(f"  noise_seed 0, {len(first)} seeds: {min(first):.3f} to {max(first):.3f}, mean {mean(first):.3f}")
        print(f"  {len(draws)} trainings: {min(errors):.3f} to {max(errors):.3f}, median {median(errors):.3f}")


@torch.no_grad()
def solved(epochs: int) -> float:
    """The share of 64 seeds with four right answers."""
    models = seeded(SimpleNet, range(64))
    with torch.enable_grad():
        data = [XORDataModule(seed=seed) for seed in range(64)]
        train_population([model.layers for model in models], data, partial(torch.optim.Adam, lr=0.01), epochs)
    inputs, targets = XORDataModule().load().train
    return mean(float(((model(inputs) > 0.5) == (targets > 0.5)).all()) for model in models)


def wave_errors(draws: list[tuple[int, int]], standardize: bool, epochs: int) -> list[float]:
    """The mean squared error on the test points of each (noise seed, training seed)."""
    data = [NoisySineDataModule(noise_seed=noise, seed=seed, standardize=standardize) for noise, seed in draws]
    models = [model for _, seed in draws for model in seeded(MLPRegressor, range(seed, seed + 1))]
    train_population([model.layers for model in models], data, partial(torch.optim.SGD, lr=0.001), epochs)
    errors = []
    for model, member in zip(models, data, strict=True):
        assert member.splits is not None
        inputs, _, curve = member.on_after_batch_transfer(member.splits.test, 0)
        errors.append(float((model(inputs) - curve).square().mean().detach()))
    return errors


if __name__ == "__main__":
    main()
