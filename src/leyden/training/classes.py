"""Whether a model tells classes, and how sure it is of each: read off its loss and its metrics."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torchmetrics.classification.stat_scores import BinaryStatScores


def as_probabilities(predictions: Tensor, loss: nn.Module, metrics: Iterable[object]) -> Tensor | None:
    """Probabilities [N, classes] by predictions [N, classes], or [N] and [N, 1] of two classes; else None.

    CrossEntropyLoss and BCEWithLogitsLoss take logits, NLLLoss logarithms, BCELoss probabilities. Under another loss a
    binary metric says that there are two classes; what is not all in [0, 1] is then taken for logits, as it takes it.
    """
    if isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss):
        if predictions.ndim != 2:
            return None
        return predictions.softmax(1) if isinstance(loss, nn.CrossEntropyLoss) else predictions.exp()
    of_binary_loss = isinstance(loss, nn.BCELoss | nn.BCEWithLogitsLoss)
    if not of_binary_loss and not any(isinstance(metric, BinaryStatScores) for metric in metrics):
        return None
    if predictions.shape not in {(len(predictions),), (len(predictions), 1)}:
        return None
    ones = predictions.reshape(-1, 1)
    are_logits = isinstance(loss, nn.BCEWithLogitsLoss) or not bool(((ones >= 0) & (ones <= 1)).all())
    ones = ones.sigmoid() if are_logits else ones
    return torch.cat([1 - ones, ones], dim=1)
