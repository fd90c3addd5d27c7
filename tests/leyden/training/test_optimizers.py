from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from leyden.training.optimizers import Muon, as_matrix


def convolutions(memory_format: torch.memory_format = torch.contiguous_format) -> nn.Sequential:
    """Two layers of filters, one of them taller than wide, with biases and a head."""
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 64, 3), nn.GELU(), nn.Conv2d(64, 16, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(16, 5)).to(memory_format=memory_format)


def trained(model: nn.Module, optimizers: list[torch.optim.Optimizer], steps: int = 3) -> list[Tensor]:
    """The parameters after a few steps on inputs that are always the same."""
    images = torch.randn(8, 3, 9, 9, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        model.zero_grad()
        model(images).square().sum().backward()
        for optimizer in optimizers:
            optimizer.step()
    return [parameter.detach().clone() for parameter in model.parameters()]


def test_a_step_is_orthogonal_as_nearly_as_published() -> None:
    """Five iterations bring all singular values to about 0.7 to 1.2 (https://kellerjordan.github.io/posts/muon/)."""
    torch.manual_seed(0)
    filters, head = nn.Parameter(torch.zeros(64, 16, 3, 3)), nn.Parameter(torch.zeros(2, 2))
    filters.grad = 1e-3 * torch.randn(64, 16, 3, 3)
    Muon([filters, head], lr=1.0).step()
    singular = torch.linalg.svdvals(filters.detach().flatten(1))
    assert float(singular.min()) > 0.65
    assert float(singular.max()) < 1.25


def test_filters_are_moved_as_torch_moves_their_matrices_and_the_rest_as_its_sgd() -> None:
    options = {"lr": 0.03, "weight_decay": 0.1}
    model = convolutions()
    ours = trained(
        model,
        [
            Muon(
                model.parameters(),
                momentum=0.6,
                ns_steps=3,
                head_scale=2.0,
                bias_scale=4.0,
                sgd_momentum=0.8,
                **options,
            )
        ],
    )
    model = convolutions()
    filters, biases, head = (
        [model[0].weight, model[2].weight],
        [model[0].bias, model[2].bias, model[5].bias],
        model[5].weight,
    )
    matrices = [nn.Parameter(weight.detach().flatten(1)) for weight in filters]  # of the same memory

    class Gradients(torch.optim.Muon):
        def step(self) -> None:
            for matrix, weight in zip(matrices, filters, strict=True):
                matrix.grad = weight.grad.flatten(1)
            super().step()

    sgd = partial(torch.optim.SGD, momentum=0.8, nesterov=True)
    others = [sgd([head], lr=0.06, weight_decay=0.05), sgd(biases, lr=0.12, weight_decay=0.025)]
    theirs = trained(model, [Gradients(matrices, momentum=0.6, ns_steps=3, **options), *others])
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_channels_last_only_orders_the_columns() -> None:
    outcomes = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        model = convolutions(memory_format)
        assert as_matrix(model[2].weight).data_ptr() == model[2].weight.data_ptr()
        outcomes.append(trained(model, [Muon(model.parameters(), lr=0.1)]))
    assert all(torch.allclose(*pair, atol=0.02) for pair in zip(*outcomes, strict=True))  # of steps of 0.1, in bfloat16


def test_filters_of_a_fixed_norm_have_it_before_each_step_and_do_not_decay() -> None:
    model = convolutions()
    norms = []
    model[0].register_forward_pre_hook(lambda module, inputs: norms.append(float(module.weight.detach().norm())))
    trained(model, [Muon(model.parameters(), lr=0.0, fixed_norm=True, weight_decay=0.5)])
    assert norms[1:] == pytest.approx([8.0, 8.0])  # √64


def test_a_parameter_without_a_gradient_stays() -> None:
    model = convolutions()
    model[0].weight.requires_grad_(False)
    before = model[0].weight.clone()
    assert torch.equal(trained(model, [Muon(model.parameters(), lr=0.1)])[0], before)


def test_what_is_saved_goes_on_to_the_same_weights() -> None:
    model = convolutions()
    optimizer = Muon(model.parameters(), lr=0.1)
    trained(model, [optimizer])
    weights, state = deepcopy((model.state_dict(), optimizer.state_dict()))
    copy = convolutions()
    copy.load_state_dict(weights)
    again = Muon(copy.parameters(), lr=0.3)
    again.load_state_dict(state)
    assert all(torch.equal(*pair) for pair in zip(trained(model, [optimizer]), trained(copy, [again]), strict=True))


def test_a_model_of_one_matrix_has_a_head_alone() -> None:
    optimizer = Muon(nn.Linear(3, 2).parameters())
    assert [group["part"] for group in optimizer.param_groups] == ["head", "vectors"]


def test_a_scale_that_would_stand_still_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^head_scale and bias_scale must be above 0, not 1.0 and 0.0$"):
        Muon(nn.Linear(3, 2).parameters(), bias_scale=0.0)
