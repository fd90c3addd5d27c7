"""Every experiment has a result that was known beforehand.

The statistical ones are shown over many seeds here, with the experiment's own classes; that `train.py` trains just the
same is shown by comparing one member with a run. `make test-slow` trains every experiment to its end by its command.
"""

import json
from functools import partial
from pathlib import Path
from statistics import mean, median

import pytest
import torch
import yaml
from conftest import CONFIGS, EXPERIMENTS, Completed, only_folder, train
from populations import seeded, train_population

from lab.data import NoisySineDataModule, XORDataModule
from lab.models import MLPRegressor, SimpleNet

ADAM = partial(torch.optim.Adam, lr=0.01)
SGD = partial(torch.optim.SGD, lr=0.001)


def expected(experiment: str) -> dict[str, tuple[float, float]]:
    return yaml.safe_load((CONFIGS / "experiment" / f"{experiment}.yaml").read_text())["expected"]


@torch.no_grad()
def xor_answers(model: SimpleNet) -> tuple[float, int]:
    """The mean squared error, and how many of the four answers are right."""
    inputs, targets = XORDataModule().load().train
    predictions = model(inputs)
    return float((predictions - targets).square().mean()), int(((predictions > 0.5) == (targets > 0.5)).sum())


def xor_population(hidden_activation: str, epochs: int) -> list[tuple[float, int]]:
    seeds = range(64)
    models = seeded(partial(SimpleNet, hidden_activation=hidden_activation), seeds)
    train_population([model.layers for model in models], [XORDataModule(seed=seed) for seed in seeds], ADAM, epochs)
    return [xor_answers(model) for model in models]


def test_xor_is_solved_by_every_seed_in_1000_epochs_and_by_less_than_half_in_500(
    xor_run: tuple[Path, Completed],
) -> None:
    halfway = xor_population("sigmoid", epochs=500)
    assert 0.35 < mean(right == 4 for _, right in halfway) < 0.5  # measured: 42 to 44 %
    answers = xor_population("sigmoid", epochs=1000)
    assert [right for _, right in answers] == [4] * 64
    assert mean(loss for loss, _ in answers) == pytest.approx(0.016, abs=0.001)
    checkpoint = xor_run[0] / "checkpoints" / "last.ckpt"
    assert xor_answers(SimpleNet.load_from_checkpoint(checkpoint))[0] == pytest.approx(answers[0][0], rel=1e-3)


def test_xor_is_solved_by_no_seed_without_an_activation_between_the_layers() -> None:
    answers = xor_population("none", epochs=1000)
    assert max(right for _, right in answers) < 4
    assert [loss for loss, _ in answers] == pytest.approx([0.25] * 64, abs=1e-3)


@torch.no_grad()
def wave_error(model: MLPRegressor, data: NoisySineDataModule) -> float:
    """The mean squared error against the noiseless curve."""
    assert data.splits is not None
    batch = data.on_after_batch_transfer(data.splits.test, 0)
    return float((model(batch[0]) - batch[2]).square().mean())


def wave_errors(models: list[MLPRegressor], data: list[NoisySineDataModule]) -> list[float]:
    return [wave_error(model, member) for model, member in zip(models, data, strict=True)]


def test_the_wave_is_followed_with_scaled_inputs_and_in_part_without() -> None:
    seeds = range(8)
    data = [NoisySineDataModule(seed=seed, standardize=scaled) for scaled in (True, False) for seed in seeds]
    models = seeded(MLPRegressor, seeds) + seeded(MLPRegressor, seeds)
    train_population([model.layers for model in models], data, SGD, epochs=1000)
    errors = wave_errors(models, data)
    low, high = expected("sine")["test/mse_noiseless"]
    assert low <= min(errors[:8])
    assert max(errors[:8]) <= high
    low, high = expected("sine_raw")["test/mse_noiseless"]
    assert low <= min(errors[8:])
    assert median(errors[8:]) <= high  # one seed in ten ends far off; which one, rounding decides: it differs by CPU


def test_a_straight_line_stays_at_the_variance_of_the_wave_however_long_it_trains() -> None:
    seeds = range(8)
    data = [NoisySineDataModule(seed=seed) for seed in seeds]
    models = seeded(partial(MLPRegressor, activation="none"), seeds)
    errors = []
    for _ in range(2):
        train_population([model.layers for model in models], data, SGD, epochs=60)
        errors += wave_errors(models, data)
    low, high = expected("sine_linear")["test/mse_noiseless"]
    assert low <= min(errors)
    assert max(errors) <= high
    x = data[0].splits.test[0]
    assert mean(errors) == pytest.approx(float((2 * torch.sin(x)).var()), rel=0.1)


@pytest.mark.slow
def test_a_tenth_of_the_real_images_seen_once_teaches_three_answers_of_ten(real_cifar: Path, tmp_path: Path) -> None:
    """Chance is one of ten; measured: 0.506."""
    completed = train(
        *("experiment=cifar10", "data.val_images=45000", "data.batch_size=50", "trainer.max_epochs=1"),
        *("+trainer.limit_val_batches=1", f"paths.data_dir={real_cifar}", f"paths.log_dir={tmp_path}"),
    )
    assert completed.returncode == 0, completed.stderr
    result = json.loads((only_folder(tmp_path / "cifar10") / "result.json").read_text())
    assert result["metrics"]["test/accuracy"] > 0.3


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_command_reaches_the_known_answer(experiment: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if (on_gpu := experiment == "cifar10_fast") and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    data_dir = request.getfixturevalue("real_cifar") if experiment.startswith("cifar10") else tmp_path
    device = "trainer=gpu" if on_gpu else "trainer=cpu"
    completed = train(f"experiment={experiment}", device, f"paths.data_dir={data_dir}", f"paths.log_dir={tmp_path}")
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.count(": as known") == len(expected(experiment))
    assert "NOT reached" not in completed.stdout
    assert only_folder(tmp_path / experiment).is_dir()
