"""Layers that several models share."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "none": nn.Identity,
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def activation(name: str) -> nn.Module:
    """The activation of that name; `none` passes its input on. Raises ValueError for a name that it does not know."""
    if name not in _ACTIVATIONS:
        raise ValueError(f"no activation is called {name!r}: choose one of {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]()


class WhiteningConv(nn.Conv2d):
    """A frozen convolution that turns patches of an image into uncorrelated numbers of variance one.

    Its filters are the eigenvectors of the covariance of `kernel_size` x `kernel_size` patches, each also negated, so
    that `channels` inputs give 2 * channels * kernel_size² outputs. From David Page,
    https://myrtle.ai/learn/how-to-train-your-resnet/, and Keller Jordan, https://arxiv.org/abs/2404.00498. `fitted`
    tells whether they are set; it is saved with them. A `bias`, where there is one, is trained.
    """

    fitted: Tensor

    def __init__(self, channels: int, kernel_size: int = 2, bias: bool = False) -> None:
        super().__init__(channels, 2 * channels * kernel_size**2, kernel_size, bias=bias)
        self.weight.requires_grad_(False)
        self.register_buffer("fitted", torch.tensor(False))

    @torch.no_grad()
    def fit(self, images: Tensor, epsilon: float = 5e-4) -> None:
        """Set the filters from normalised images [N, channels, H, W]."""
        size = self.kernel_size[0]
        patches = F.unfold(images, size).transpose(1, 2).flatten(0, 1)
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (vectors / (values + epsilon).sqrt()).T.view(-1, images.shape[1], size, size)
        self.weight.copy_(torch.cat([filters, -filters]))
        self.fitted.fill_(True)
