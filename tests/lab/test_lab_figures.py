"""The pictures of these models, read off what is drawn."""

from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from lab.data import CIFAR10DataModule, NoisySineDataModule, XORDataModule
from lab.data.noisy_sine import noiseless
from lab.figures import augmented_images, decision_surface, first_filters, loss_of_xor, mistakes, wave
from lab.models import CifarCNN, MLPRegressor, SimpleNet
from leyden.training import Splits
from leyden.training.figures import Answers


def drawn(figure: Figure | None) -> Figure:
    assert figure is not None
    return figure


@torch.no_grad()
def solved() -> SimpleNet:
    """XOR by hand: one hidden unit is OR, one is AND, and the answer is OR without AND."""
    net = SimpleNet(hidden_features=2)
    hidden, _, answer, _ = net.layers
    assert isinstance(hidden, nn.Linear)
    assert isinstance(answer, nn.Linear)
    hidden.weight.fill_(20.0)
    hidden.bias.copy_(torch.tensor([-10.0, -30.0]))
    answer.weight.copy_(torch.tensor([[20.0, -20.0]]))
    answer.bias.fill_(-10.0)
    return net.eval()


def test_the_surface_of_a_net_set_by_hand_is_right_at_the_four_corners() -> None:
    data = XORDataModule()
    data.setup()
    axes = drawn(decision_surface(solved(), data)).axes[0]
    surface = axes.images[0].get_array()
    assert surface is not None
    corners = {(a, b): round(float(surface[10 + 20 * b, 10 + 20 * a])) for a in (0, 1) for b in (0, 1)}
    assert corners == {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 0}
    assert axes.images[0].get_extent() == pytest.approx([-0.525, 1.525, -0.525, 1.525])
    assert {text.get_position(): text.get_text() for text in axes.texts} == {
        (a, b): f"{a} xor {b} = {a ^ b}" for a in (0, 1) for b in (0, 1)
    }


def test_the_surface_has_a_across_and_b_up() -> None:
    data, net = XORDataModule(), solved()
    data.setup()
    net.forward = lambda inputs: inputs[:, :1]  # type: ignore[method-assign]
    surface = drawn(decision_surface(net, data)).axes[0].images[0].get_array()
    assert surface is not None
    assert surface[0].tolist() == pytest.approx(torch.linspace(-0.5, 1.5, 41).tolist())


def test_the_loss_of_xor_stands_beside_that_of_a_straight_line() -> None:
    figure = drawn(loss_of_xor(SimpleNet(), XORDataModule(), {"val/loss": ([1.0, 2.0], [0.25, 0.1])}))
    assert list(figure.axes[0].lines[-1].get_ydata()) == [0.25, 0.25]


def test_the_wave_has_the_curve_without_its_noise() -> None:
    data = NoisySineDataModule(points=20)
    data.setup()
    lines = drawn(wave(MLPRegressor().eval(), data)).axes[0].lines
    x, y = (torch.tensor(values) for values in (lines[-1].get_xdata(), lines[-1].get_ydata()))
    assert torch.equal(y, noiseless(x))
    assert [line.get_label() for line in lines] == ["trained on", "model", "without noise"]


def test_augmented_images_are_those_of_the_first_epoch(tiny_cifar: Path) -> None:
    data = CIFAR10DataModule(tiny_cifar, batch_size=50, flip="none", shift=0)
    data.setup()
    shown = drawn(augmented_images(CifarCNN(), data)).axes[0].images[0].get_array()
    assert shown is not None
    first: Tensor = next(iter(data.train_dataloader()))[0]
    assert shown.shape == (5 * 36, 8 * 36, 3)
    assert torch.equal(torch.from_numpy(shown[2:34, 38:70].copy()).permute(2, 0, 1), first[1])


def test_the_filters_of_the_first_convolution() -> None:
    model = CifarCNN()
    shown = drawn(first_filters(model, XORDataModule())).axes[0].images[0].get_array()
    assert shown is not None
    weight = model.whiten.weight[0].detach()
    place = (weight == weight.max()).nonzero()[0].tolist()
    assert shown[2 + 8 * place[1] + 4, 2 + 8 * place[2] + 4, place[0]] == 255
    assert first_filters(SimpleNet(), XORDataModule()) is None


def test_the_mistakes_that_a_model_is_most_sure_of_come_first(tiny_cifar: Path) -> None:
    data = CIFAR10DataModule(tiny_cifar)
    data.setup()
    assert data.splits is not None
    images, labels = data.splits.test
    logits = 9.0 * nn.functional.one_hot(labels, 10)
    logits[3] = logits[7] = 0.0
    logits[3, 0], logits[7, 9] = 4.0, 6.0  # a cat that is an airplane, and a horse that is a truck
    axes = drawn(mistakes(CifarCNN(), data, Answers(logits, labels))).axes[0]
    assert [text.get_text() for text in axes.texts] == ["98%", "truck", "is horse", "86%", "airplane", "is cat"]
    shown = axes.images[0].get_array()
    assert shown is not None
    assert torch.equal(torch.from_numpy(shown.copy()).permute(2, 0, 1), images[7])
    assert mistakes(CifarCNN(), data, Answers(9.0 * nn.functional.one_hot(labels, 10), labels)) is None


def test_figures_of_photographs_leave_other_data_alone() -> None:
    data = XORDataModule()
    data.setup()
    assert augmented_images(SimpleNet(), data) is None
    grey = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    data.splits = Splits((grey, torch.zeros(4)), (grey, torch.zeros(4)), (grey, torch.zeros(4)))
    assert augmented_images(SimpleNet(), data) is None
