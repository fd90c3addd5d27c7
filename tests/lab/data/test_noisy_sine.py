import math

import pytest
import torch

from lab.data import NoisySineDataModule
from lab.data.noisy_sine import noiseless


def test_the_curve_is_x_plus_twice_its_sine() -> None:
    assert noiseless(torch.tensor([0.0, math.pi / 2, math.pi])).tolist() == pytest.approx(
        [0, math.pi / 2 + 2, math.pi], abs=1e-6
    )


def test_training_points_are_even_on_0_to_20_and_no_other_split_has_one_of_them() -> None:
    train, val, test = NoisySineDataModule(points=201).load()
    assert train[0].flatten().tolist() == pytest.approx([0.1 * i for i in range(201)], abs=1e-5)
    inputs = [set(split[0].flatten().tolist()) for split in (train, val, test)]
    assert inputs[0] & inputs[1] == inputs[0] & inputs[2] == inputs[1] & inputs[2] == set()
    assert all(0 <= x <= 20 for x in inputs[1] | inputs[2])


def test_the_noise_is_normal_with_deviation_1_and_the_third_test_tensor_has_none() -> None:
    data = NoisySineDataModule(points=20_000)
    train, _, test = data.load()
    noise = train[1] - noiseless(train[0])
    assert float(noise.mean()) == pytest.approx(0, abs=0.03)
    assert float(noise.std()) == pytest.approx(1, abs=0.03)
    assert torch.equal(test[2], noiseless(test[0]))


def test_inputs_are_scaled_by_the_training_points() -> None:
    data = NoisySineDataModule()
    inputs = data.load().train[0]
    scaled, _ = data.on_after_batch_transfer((inputs, inputs), 0)
    assert float(scaled.mean()) == pytest.approx(0, abs=1e-6)
    assert float(scaled.std()) == pytest.approx(1, abs=1e-6)
    assert NoisySineDataModule(standardize=False).on_after_batch_transfer((inputs, inputs), 0)[0] is inputs


def test_the_noise_has_a_seed_of_its_own() -> None:
    first, same, other = (
        NoisySineDataModule(noise_seed=n, seed=s).load().train[1] for n, s in ((1, 1), (1, 2), (2, 1))
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
