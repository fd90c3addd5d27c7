"""Measure the known answers of XOR and of the wave over many seeds: `python scripts/benchmarks/known_answers.py`.

Prints what the table of experiments in docs/results.md says: how many seeds solve XOR after 500 and after 1,000 epochs,
and the errors against the noiseless curve, for draws of the noise and seeds of the training. All are trained together,
as one population; with the defaults about ten minutes on one core.
"""

import argparse
from collections.abc import Callable, Iterable
from functools import partial
from statistics import mean, median

import torch
from lightning.pytorch import Trainer, seed_everything

from lab.data import NoisySineDataModule, XORDataModule
from lab.models import MLPRegressor, SimpleNet
from leyden.training import SupervisedModule, TensorDataModule
from leyden.training.population import Population, PopulationData
from leyden.verbs import quiet  # noqa: F401


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


def solved(epochs: int) -> float:
    """The share of 64 seeds with four right answers."""
    data = [XORDataModule(seed=seed) for seed in range(64)]
    population = trained(SimpleNet, data, partial(torch.optim.Adam, lr=0.01), epochs)
    return float((population.values["test/accuracy"] == 1).float().mean())


def wave_errors(draws: list[tuple[int, int]], standardize: bool, epochs: int) -> list[float]:
    """The mean squared error on the test points of each (noise seed, training seed)."""
    data = [NoisySineDataModule(noise_seed=noise, seed=seed, standardize=standardize) for noise, seed in draws]
    population = trained(MLPRegressor, data, partial(torch.optim.SGD, lr=0.001), epochs)
    errors: list[float] = population.values["test/mse_noiseless"].tolist()
    return errors


def trained(
    make_model: Callable[[], SupervisedModule],
    members: Iterable[TensorDataModule],
    make_optimizer: Callable[..., torch.optim.Optimizer],
    epochs: int,
) -> Population:
    """A model for each data module, as train.py would build it, trained, and tested on its last weights."""
    models, data = [], PopulationData()
    for member in members:
        seed_everything(member.seed, verbose=False)
        models.append(make_model())
        data.add(member)
    models[0].make_optimizer = make_optimizer
    population = Population(models)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        check_val_every_n_epoch=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(population, data)
    trainer.test(population, data, verbose=False)
    return population


if __name__ == "__main__":
    main()
