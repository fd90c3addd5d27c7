"""What else a training depends on: the random numbers of a process, and the metrics of an epoch half done."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torchmetrics import Metric

from leyden.training.metrics import EpochMetrics


def process_state(model: nn.Module) -> dict[str, Any]:
    """States of all random number generators, and of every metric that has seen a batch of this epoch.

    Made of tensors and plain values, so that a checkpoint that holds it loads with `weights_only=True`.
    """
    numpy = np.random.get_state(legacy=False)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "numpy": numpy | {"state": numpy["state"] | {"key": torch.from_numpy(numpy["state"]["key"].astype(np.int64))}},
        "python": random.getstate(),
        "metrics": {
            name: {"updates": metric.update_count, "state": metric.metric_state}
            for name, metric in _metrics(model)
            if metric.update_called
        },
        "kept": {name: kept for name, metrics in _epoch_metrics(model) if (kept := metrics.kept())},
    }


def restore_process_state(state: dict[str, Any], model: nn.Module) -> None:
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    numpy = state["numpy"]
    key = numpy["state"]["key"].numpy().astype(np.uint32)
    np.random.set_state(numpy | {"state": numpy["state"] | {"key": key}})
    random.setstate(state["python"])
    for name, metric in _metrics(model):
        if name in state["metrics"]:
            metric._update_count = state["metrics"][name]["updates"]
            for attribute, value in state["metrics"][name]["state"].items():
                setattr(metric, attribute, _moved(value, metric.device))
    for name, metrics in _epoch_metrics(model):
        if name in state["kept"]:
            metrics.keep(*(_moved(value, metrics.samples.device) for value in state["kept"][name]))


@contextmanager
def looking(model: nn.Module) -> Iterator[None]:
    """Evaluation without gradients; afterwards modes and torch's random numbers are as they were."""
    modes = {module: module.training for module in model.modules()}
    devices = {parameter.device for parameter in model.parameters() if parameter.is_cuda}
    try:
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            model.eval()
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _metrics(model: nn.Module) -> list[tuple[str, Metric]]:
    return [(name, module) for name, module in model.named_modules() if isinstance(module, Metric)]


def _epoch_metrics(model: nn.Module) -> list[tuple[str, EpochMetrics]]:
    return [(name, module) for name, module in model.named_modules() if isinstance(module, EpochMetrics)]


def _moved(value: Any, device: torch.device) -> Any:
    """A metric's state: a tensor, or a list of them."""
    return [part.to(device) for part in value] if isinstance(value, list) else value.to(device)
