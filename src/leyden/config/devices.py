"""Devices that a trainer asks for and the machine has not."""

from typing import Any

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.accelerators import AcceleratorRegistry
from omegaconf import DictConfig, OmegaConf

from leyden.config.origin import Origin
from leyden.config.signatures import Problem, shown

# The first that there is, in Lightning's order.
KINDS = {"auto": ("tpu", "mps", "cuda", "cpu"), "gpu": ("mps", "cuda")}
NAMES = {"tpu": "TPU", "mps": "GPU of Apple's"}


def absent_devices(config: DictConfig, origin: Origin) -> list[Problem]:
    """The key of the trainer that asks for what there is not, if any. What makes no sense is Lightning's to refuse."""
    trainer: Any = OmegaConf.to_container(config.trainer, resolve=True) if config.get("trainer") else {}
    asked, devices = str(trainer.get("accelerator", "auto")), trainer.get("devices", "auto")
    known = [
        AcceleratorRegistry[kind]["accelerator"] for kind in KINDS.get(asked, (asked,)) if kind in AcceleratorRegistry
    ]
    there = [accelerator for accelerator in known if accelerator.is_available()]
    if known and not there:
        key, value = "trainer.accelerator", asked
        none = f"torch finds no {NAMES.get(asked, 'GPU')} on this machine"
        reason = f"{none}; choose trainer=cpu, or trainer=auto for whatever there is"
    elif known and devices != "auto" and not _has(there[0], devices):
        key, value = "trainer.devices", shown(devices)
        count, name = there[0].auto_device_count(), NAMES.get(there[0].name(), "GPU")
        reason = f"there is 1 {name}, number 0" if count == 1 else f"there are {count} {name}s, 0 to {count - 1}"
    else:
        return []
    return [Problem(key, f"={value}", origin.of(key), reason)]


def _has(accelerator: Any, devices: Any) -> bool:
    if accelerator.name() == "cpu":  # as many as one likes
        return True
    try:
        accelerator.parse_devices(devices)
    except MisconfigurationException:
        return False
    except (TypeError, ValueError):
        pass
    return True
