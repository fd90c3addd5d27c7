"""Muon for filters and matrices, stochastic gradient descent for the other weights, as one optimizer."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim._muon import DEFAULT_A, DEFAULT_B, DEFAULT_C, EPS, muon
from torch.optim.sgd import sgd


class Muon(Optimizer):
    """Takes from every filter and matrix an orthogonal step along its momentum (torch.optim.Muon), and from every other
    weight one of SGD with Nesterov momentum.

    A filter [out, in, height, width] counts as the matrix [out, in * height * width]. The other weights are vectors
    (biases, what norms learn), which move at `lr * bias_scale`, and the head, for which the last matrix of the model is
    taken: it moves at `lr * head_scale`. So there is one rate to schedule and to search. A step shrinks every weight by
    `lr * weight_decay`; with `fixed_norm` it brings filters and matrices to the norm √out instead, which changes
    nothing in a network that normalises what they put out. `momentum` and `ns_steps`, the Newton-Schulz iterations that
    make a step orthogonal, are Muon's alone; these compute in bfloat16.

    From Keller Jordan, https://kellerjordan.github.io/posts/muon/ and https://github.com/KellerJordan/cifar10-airbench.
    Raises ValueError for a scale that is not above 0.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        ns_steps: int = 5,
        fixed_norm: bool = False,
        head_scale: float = 1.0,
        bias_scale: float = 1.0,
        sgd_momentum: float = 0.85,
    ) -> None:
        if min(head_scale, bias_scale) <= 0:
            raise ValueError(f"head_scale and bias_scale must be above 0, not {head_scale} and {bias_scale}")
        params = list(params)
        matrices = [parameter for parameter in params if parameter.ndim > 1]
        parts = {
            "matrices": matrices[:-1],
            "head": matrices[-1:],
            "vectors": [parameter for parameter in params if parameter.ndim < 2],
        }
        # Every group holds all options, though it reads but its own: a run that goes on can change each of them.
        options = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "ns_steps": ns_steps,
            "fixed_norm": fixed_norm,
            "head_scale": head_scale,
            "bias_scale": bias_scale,
            "sgd_momentum": sgd_momentum,
        }
        super().__init__([{"part": part, "params": weights} for part, weights in parts.items() if weights], options)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            gradients = [weight.grad for weight in weights]
            for weight in weights:
                if not self.state[weight]:
                    self.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
            buffers = [self.state[weight]["momentum_buffer"] for weight in weights]
            (_orthogonal_step if group["part"] == "matrices" else _sgd_step)(weights, gradients, buffers, group)
        return loss


def as_matrix(filters: Tensor) -> Tensor:
    """[out, in, ...] as [out, in * ...] of the same memory, channels_last or not, which only orders the columns."""
    return (filters if filters.is_contiguous() else filters.movedim(1, -1)).view(len(filters), -1)


def _orthogonal_step(
    weights: list[Tensor], gradients: list[Tensor], buffers: list[Tensor], group: dict[str, Any]
) -> None:
    if group["fixed_norm"]:
        for weight in weights:
            weight.mul_(len(weight) ** 0.5 / weight.norm())
    muon(
        [as_matrix(weight) for weight in weights],
        [as_matrix(gradient) for gradient in gradients],
        [as_matrix(buffer) for buffer in buffers],
        lr=group["lr"],
        weight_decay=0.0 if group["fixed_norm"] else group["weight_decay"],
        momentum=group["momentum"],
        nesterov=True,
        ns_coefficients=(DEFAULT_A, DEFAULT_B, DEFAULT_C),
        ns_steps=group["ns_steps"],
        eps=EPS,
        adjust_lr_fn=None,
        has_complex=False,
    )


def _sgd_step(weights: list[Tensor], gradients: list[Tensor], buffers: list[Tensor], group: dict[str, Any]) -> None:
    scale = group["head_scale" if group["part"] == "head" else "bias_scale"]
    sgd(
        weights,
        gradients,
        buffers,  # type: ignore[arg-type]  # a list that may hold None, where the first step makes them
        weight_decay=group["weight_decay"] / scale,
        momentum=group["sgd_momentum"],
        lr=group["lr"] * scale,
        dampening=0.0,
        nesterov=True,
        maximize=False,
    )
