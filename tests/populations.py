"""Many seeds of a small network trained at once, for answers that are statistical.

Member k sees the weights, batches and steps of a training with its seed; only the arithmetic is done for all of them
together, in batched matrix products.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import count

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from leyden.training import TensorDataModule, TensorLoader


def seeded(build: Callable[[], nn.Module], seeds: range) -> list[nn.Module]:
    """A model for each seed, as train.py would build it."""
    models = []
    for seed in seeds:
        torch.manual_seed(seed)
        models.append(build())
    return models


def train_population(
    networks: Sequence[nn.Sequential],
    data: Sequence[TensorDataModule],
    make_optimizer: Callable[[list[Tensor]], Optimizer],
    epochs: int,
) -> None:
    """Train networks of one shape in place, each on its own data, one sample a step, on the squared error."""
    weights = {
        index: (
            torch.stack([network[index].weight.detach().T for network in networks]).requires_grad_(),
            torch.stack([network[index].bias.detach()[None] for network in networks]).requires_grad_(),
        )
        for index, layer in enumerate(networks[0])
        if isinstance(layer, nn.Linear)
    }
    optimizer = make_optimizer([tensor for pair in weights.values() for tensor in pair])
    epochs_of = [visiting_order(module) for module in data]
    for _ in range(epochs):
        inputs, targets = (torch.stack(members) for members in zip(*(next(epoch) for epoch in epochs_of), strict=True))
        for x, y in zip(inputs.split(1, dim=1), targets.split(1, dim=1), strict=True):
            for index, layer in enumerate(networks[0]):
                x = torch.baddbmm(weights[index][1], x, weights[index][0]) if index in weights else layer(x)
            optimizer.zero_grad()
            (x - y).square().sum().backward()  # one output, one sample: each member's gradient is that of its own mean
            optimizer.step()
    for index, (weight, bias) in weights.items():
        for member, network in enumerate(networks):
            network[index].weight.data = weight[member].detach().T.contiguous()
            network[index].bias.data = bias[member, 0].detach()


def visiting_order(data: TensorDataModule) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields, epoch after epoch, the normalised inputs and the targets in the order in which training visits them."""
    data.setup()
    inputs, targets = data.splits.train
    loader = TensorLoader((inputs, targets), len(inputs), shuffle=True, seed=data.seed)
    for epoch in count():
        loader.set_epoch(epoch)
        (batch,) = loader
        yield data.on_after_batch_transfer(batch, 0)
