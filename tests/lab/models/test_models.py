from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from torch import nn

from lab.data import CIFAR10DataModule
from lab.models import CifarCNN, MLPRegressor, SimpleNet


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_simple_net_is_the_network_that_its_formula_says() -> None:
    model = SimpleNet(hidden_features=3)
    inputs = torch.rand(5, 2)
    hidden = torch.sigmoid(inputs @ model.layers[0].weight.T + model.layers[0].bias)
    assert torch.allclose(model(inputs), torch.sigmoid(hidden @ model.layers[2].weight.T + model.layers[2].bias))
    assert count(SimpleNet()) == 2 * 4 + 4 + 4 + 1


def test_without_its_hidden_activation_the_output_is_a_sigmoid_of_a_straight_line() -> None:
    model = SimpleNet(hidden_activation="none")
    a, b = torch.rand(2, 5, 2)
    logits = [torch.logit(model(point)) for point in (a, b, (a + b) / 2)]
    assert torch.allclose(logits[2], (logits[0] + logits[1]) / 2, atol=1e-5)


def test_an_mlp_has_the_layers_that_were_asked_for() -> None:
    model = MLPRegressor(hidden_sizes=[20, 30], activation="relu")
    assert [tuple(layer.weight.shape) for layer in model.layers if isinstance(layer, nn.Linear)] == [
        (20, 1),
        (30, 20),
        (1, 30),
    ]
    assert count(MLPRegressor()) == 31
    assert count(MLPRegressor(hidden_sizes=[])) == 2


def test_the_cifar_net_has_the_size_that_was_measured_and_gives_one_logit_a_class() -> None:
    model = CifarCNN()
    assert count(model) == 295_072
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    assert CifarCNN(widths=[8, 8, 8], classes=7)(torch.randn(2, 3, 32, 32)).shape == (2, 7)


def test_convolutions_begin_by_passing_their_inputs_on() -> None:
    convolution = CifarCNN().groups[1][0]
    images = torch.randn(1, 24, 8, 8)
    assert torch.allclose(convolution(images)[:, :24], images, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "arguments"),
    [
        (SimpleNet, {"hidden_features": 7, "hidden_activation": "tanh"}),
        (MLPRegressor, {"hidden_sizes": [6, 5], "activation": "relu"}),
        (
            CifarCNN,
            {
                "widths": [8, 8, 8],
                "classes": 3,
                "label_smoothing": 0.1,
                "whiten_epochs": 2,
                "norm_scales": False,
                "views": "mirror",
            },
        ),
    ],
)
def test_hyperparameters_are_what_the_model_was_built_from(model: type, arguments: dict[str, object]) -> None:
    assert dict(model(**arguments).hparams) == arguments


def test_whitening_is_set_from_the_images_once(tiny_cifar: Path, tmp_path: Path) -> None:
    def fit(model: CifarCNN) -> torch.Tensor:
        trainer = Trainer(
            accelerator="cpu", max_steps=1, logger=False, enable_checkpointing=False, default_root_dir=tmp_path
        )
        trainer.fit(model, datamodule=CIFAR10DataModule(tiny_cifar))
        return model.whiten.weight.clone()

    model = CifarCNN(widths=[8, 8, 8])
    random = model.whiten.weight.clone()
    first = fit(model)
    assert not torch.allclose(first, random)
    model.whiten.weight.mul_(2)  # as if it came from another checkpoint
    assert torch.equal(fit(model), 2 * first)


def test_views_are_for_evaluation_and_must_have_a_name_that_is_known() -> None:
    model = CifarCNN(widths=[8, 8, 8], views="mirror")
    images = torch.randn(2, 3, 32, 32)
    assert not torch.allclose(model(images), model(images.flip(-1)), atol=1e-3)
    model.eval()
    assert torch.allclose(model(images), model(images.flip(-1)), atol=1e-5)
    with pytest.raises(ValueError, match=r"^views=all: choose one of none, mirror, mirror_shift$"):
        CifarCNN(views="all")


def test_without_scales_batch_norm_learns_its_biases_alone() -> None:
    learnt = [name for name, weight in CifarCNN(norm_scales=False).groups.named_parameters() if weight.requires_grad]
    assert len(learnt) == 12
    assert sum(name.endswith("bias") for name in learnt) == 6


def test_a_cifar_cnn_lays_images_in_memory_as_convolutions_like_them() -> None:
    seen: list[bool] = []
    model = CifarCNN()
    model.whiten.register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
    )
    model(torch.zeros(4, 3, 32, 32))
    assert seen == [True]


@pytest.mark.slow
def test_compiled_in_half_precision_the_gradients_are_those_of_the_plain_network() -> None:
    """The gradient of `amax`, which the network ended with, is 0 / 0 there: no feature is found at its maximum.

    Rounding may make another feature the largest, so that the two are near, not equal.
    """
    torch.manual_seed(0)
    images, labels = torch.randn(16, 3, 32, 32), torch.arange(16) % 10
    gradients = []
    for compiled in (False, True):
        torch.manual_seed(0)
        model = CifarCNN(widths=(8, 8, 8), norm_scales=False)
        model.whiten.fit(images)
        if compiled:
            model.compile()
        with torch.autocast("cpu", torch.bfloat16):
            loss = model.loss(model(images), labels)
        loss.backward()
        gradients.append(torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None]))
    assert torch.cosine_similarity(*gradients, dim=0) > 0.9
