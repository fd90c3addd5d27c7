"""The loss and the metrics of one stage, accumulated as tensors and computed once an epoch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torchmetrics import Metric, SumMetric


@contextmanager
def without_metrics() -> Iterator[None]:
    """EpochMetrics that are made meanwhile are empty: for models of which only the weights are wanted."""
    EpochMetrics._made = False
    try:
        yield
    finally:
        EpochMetrics._made = True


class EpochMetrics(nn.Module):
    """Mean loss over the samples, and each metric of predictions and targets.

    A torchmetrics update costs more than a small model's whole step, so `update` only keeps the batch; what is kept is
    passed on in one block when it holds `block` numbers or 256 batches, and at `compute`.
    """

    _made = True

    def __init__(self, metrics: Mapping[str, Metric], block: int = 2**20) -> None:
        super().__init__()
        if not EpochMetrics._made:
            return
        # A loss that is NaN must be seen: torchmetrics' MeanMetric leaves it out or, told not to, forgets the weights.
        self.loss_sum = SumMetric(nan_strategy="disable")
        self.samples = SumMetric(nan_strategy="disable")
        self.metrics = nn.ModuleDict({name: metric.clone() for name, metric in metrics.items()})
        self.block = block
        self._kept: list[tuple[Tensor, Tensor, Tensor]] = []
        self._numbers = 0

    def update(self, loss: Tensor, predictions: Tensor, targets: Tensor) -> None:
        self._kept.append((loss.detach(), predictions.detach(), targets))
        self._numbers += predictions.numel() + targets.numel()
        if self._numbers >= self.block or len(self._kept) >= 256:
            self._fold()

    def kept(self) -> list[Tensor]:
        """The batches not yet passed on: losses [B], predictions and targets of all their samples, samples in each."""
        if not self._kept:
            return []
        losses, predictions, targets = zip(*self._kept, strict=True)
        return [torch.stack(losses), torch.cat(predictions), torch.cat(targets), torch.tensor([*map(len, targets)])]

    def keep(self, losses: Tensor, predictions: Tensor, targets: Tensor, samples: Tensor) -> None:
        """Take in what `kept` gave. Where the blocks end decides how sums are rounded: they must not end elsewhere."""
        sizes = samples.tolist()
        for batch in zip(losses, torch.split(predictions, sizes), torch.split(targets, sizes), strict=True):
            self.update(*batch)

    def compute(self) -> dict[str, Tensor]:
        """The values since the last `reset`, over all processes; nothing where no batch was seen."""
        self._fold()
        if not self.samples.update_called:
            return {}
        values: dict[str, Tensor] = {"loss": self.loss_sum.compute() / self.samples.compute()}
        return values | {name: metric.compute() for name, metric in self.metrics.items()}  # type: ignore[operator]

    def reset(self) -> None:
        self._kept, self._numbers = [], 0
        self.loss_sum.reset()
        self.samples.reset()
        for metric in self.metrics.values():
            metric.reset()  # type: ignore[operator]

    def _fold(self) -> None:
        if not self._kept:
            return
        losses, predictions, targets = zip(*self._kept, strict=True)
        self._kept, self._numbers = [], 0
        counts = torch.tensor([len(block) for block in targets], device=losses[0].device)
        self.loss_sum.update(torch.stack(losses) * counts)
        self.samples.update(counts)
        for metric in self.metrics.values():
            metric.update(torch.cat(predictions), torch.cat(targets))  # type: ignore[operator]
