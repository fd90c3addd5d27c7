import pytest
import torch
from torch import nn

from leyden.training.layers import WhiteningConv, activation


def test_whitened_patches_are_uncorrelated_and_of_variance_one() -> None:
    torch.manual_seed(0)
    smooth = nn.AvgPool2d(3, stride=1)(torch.randn(200, 3, 18, 18))  # neighbours alike, as in photographs
    layer = WhiteningConv(channels=3)
    layer.fit(smooth, epsilon=0.0)
    outputs = layer(smooth)[:, :12].transpose(0, 1).flatten(1)
    assert torch.allclose(outputs @ outputs.T / outputs.shape[1], torch.eye(12), atol=1e-3)


def test_the_second_half_of_the_filters_is_the_first_negated_and_none_is_trained() -> None:
    layer = WhiteningConv(channels=3)
    layer.fit(torch.randn(50, 3, 8, 8))
    assert torch.equal(layer.weight[:12], -layer.weight[12:])
    assert not layer.weight.requires_grad


def test_activations_have_the_names_of_the_field() -> None:
    assert float(activation("tanh")(torch.tensor(1.0))) == pytest.approx(0.761594, abs=1e-6)
    assert float(activation("none")(torch.tensor(1.5))) == 1.5
    with pytest.raises(ValueError, match=r"^no activation is called 'tanhh': choose one of none, gelu, relu, "):
        activation("tanhh")
