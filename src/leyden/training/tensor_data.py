"""Data that fits in memory: splits kept as tensors, handed out as whole batches by index."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import chain
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from leyden.errors import UserError
from leyden.training.augment import Standardize

Tensors = tuple[Tensor, ...]

BLOCK = 256  # samples


class Splits(NamedTuple):
    """Inputs, targets and whatever else belongs to a sample, each [N, ...], for every split."""

    train: Tensors
    val: Tensors
    test: Tensors


def unlike_splits(splits: object) -> str | None:
    """What is wrong with what `load` returned; None where it is as it should be."""
    if not isinstance(splits, Splits):
        return f"load() must return Splits(train, val, test), not {type(splits).__name__}"
    for name, tensors in zip(splits._fields, splits, strict=True):
        is_split = isinstance(tensors, tuple | list) and tensors
        if not is_split or not all(isinstance(each, Tensor) and each.ndim for each in tensors):
            return f"{name} must be tensors (inputs, targets, ...), each [N, ...], not {type(tensors).__name__}"
        if len(lengths := {len(each): str(len(each)) for each in tensors}) > 1:
            return f"{name} has tensors of different lengths: {', '.join(lengths.values())}"
    return None


class TensorLoader:
    """Batches of `tensors` (each [N, ...], on any one device), indexed whole: no workers, no per-sample Python.

    A shuffled order depends on `seed` and the number of the epoch alone. Under several processes each takes every
    `world_size`-th sample; a shuffled (training) order is padded from its own start, so that all make equally many
    steps. Stateful: Lightning saves and restores the epoch and the place in it with every checkpoint.
    """

    def __init__(
        self,
        tensors: Tensors,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.tensors = tensors
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.position = 0  # batches of this epoch that were handed out
        self.indices = torch.empty(0, dtype=torch.int64)  # of the samples in the batch that was handed out last
        self._start = 0  # where the next iteration begins

    def __len__(self) -> int:
        samples = len(self.tensors[0])
        mine = -(-samples // self.world_size) if self.shuffle else len(range(self.rank, samples, self.world_size))
        return -(-mine // self.batch_size)

    def __iter__(self) -> Iterator[Tensors]:
        self.position, self._start = self._start, 0
        block = self.batch_size * max(1, BLOCK // self.batch_size)
        for order in torch.split(self._order()[self.position * self.batch_size :], block):
            # Small batches are gathered many at a time, which costs as much as one.
            gathered = [torch.split(tensor[order], self.batch_size) for tensor in self.tensors]
            for indices, *batch in zip(torch.split(order, self.batch_size), *gathered, strict=True):
                self.position += 1
                self.indices = indices
                yield tuple(batch)

    def _order(self) -> Tensor:
        """The sample indices that this process visits in this epoch."""
        samples, device = len(self.tensors[0]), self.tensors[0].device
        if not self.shuffle:
            return torch.arange(self.rank, samples, self.world_size, device=device)
        order = shuffled(samples, self.seed, self.epoch)
        order = torch.cat([order, order[: -samples % self.world_size]])
        return order[self.rank :: self.world_size].to(device)

    @property
    def batch_sampler(self) -> SimpleNamespace:
        """Where Lightning looks for the `set_epoch` of a DataLoader, which it calls before each epoch."""
        return SimpleNamespace(sampler=self)

    def set_epoch(self, epoch: int) -> None:
        """The order of which epoch comes next. Lightning calls this before each; a loop of one's own has to."""
        if epoch != self.epoch:
            self.epoch, self.position, self._start = epoch, 0, 0

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.epoch, self._start = state["epoch"], state["position"]


def shuffled(samples: int, seed: int, epoch: int) -> Tensor:
    """In which order an epoch visits the samples."""
    return torch.randperm(samples, generator=_GENERATOR.manual_seed(seed * 1_000_003 + epoch))


_GENERATOR = torch.Generator()  # to make one takes longer than to shuffle four samples


class TensorDataModule(LightningDataModule):
    """Base of the data modules whose data fits in memory. A subclass implements `load`.

    Whole batches of inputs pass through `augment`, a method to override, in training only, and then in every stage
    through `normalize`, which a subclass sets in `load` at the latest; None leaves the inputs as they are.
    `feature_names` and `class_names` say what the columns of the inputs and the answers of a classifier are called.

    Every checkpoint holds `normalize` and the shape and type of one input, so that a model can be used without its
    data.

    Raises ValueError for a batch size below 1.
    """

    feature_names: Sequence[str] = ()
    class_names: Sequence[str] = ()

    def __init__(self, batch_size: int, seed: int = 0, eval_batch_size: int = 1000) -> None:
        super().__init__()
        for name, size in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if size < 1:
                raise ValueError(f"{name} must be at least 1, not {size}")
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.seed = seed
        self.normalize: Standardize | None = None
        self.splits: Splits | None = None
        self._restored = False
        self.input_shape: tuple[int, ...] | None = None
        self.input_dtype: torch.dtype | None = None

    def load(self) -> Splits:
        raise NotImplementedError(f"{type(self).__name__} must implement load()")

    def setup(self, stage: str | None = None) -> None:
        if self.splits is None:
            restored = self.normalize if self._restored else None
            try:
                self.splits = self.load()
            except ValueError as error:
                raise UserError(f"data ({type(self).__name__}): {error}") from error
            if said := unlike_splits(self.splits):
                raise UserError(f"data ({type(self).__name__}): {said}")
            self.normalize = restored or self.normalize
            inputs = self.splits.train[0]
            shape = tuple(inputs.shape[1:])
            if self._restored and shape != self.input_shape:
                raise UserError(
                    f"data ({type(self).__name__}): inputs {list(shape)} where the model was trained on "
                    f"{list(self.input_shape or ())}"
                )
            self.input_shape, self.input_dtype = shape, inputs.dtype

    def train_dataloader(self) -> TensorLoader:
        overfitting = self.trainer is not None and self.trainer.overfit_batches > 0  # type: ignore[attr-defined]
        return self._loader("train", self.batch_size, shuffle=not overfitting)

    def val_dataloader(self) -> TensorLoader:
        return self._loader("val", self.eval_batch_size)

    def test_dataloader(self) -> TensorLoader:
        return self._loader("test", self.eval_batch_size)

    def _loader(self, split: str, batch_size: int, *, shuffle: bool = False) -> TensorLoader:
        self.setup()
        tensors: Tensors = getattr(self.splits, split)
        if self.trainer is None:
            return TensorLoader(tensors, batch_size, shuffle=shuffle, seed=self.seed)
        if 0 < len(tensors[0]) < self.trainer.world_size:
            raise UserError(
                f"{split} has {len(tensors[0])} samples for {self.trainer.world_size} processes: "
                f"trainer.devices can be {len(tensors[0])} at most"
            )
        device = self.trainer.strategy.root_device
        if self.normalize is not None:
            self.normalize.to(device)
        return TensorLoader(
            tuple(tensor.to(device) for tensor in tensors),
            batch_size,
            shuffle=shuffle,
            seed=self.seed,
            rank=self.trainer.global_rank,
            world_size=self.trainer.world_size,
        )

    def state_dict(self) -> dict[str, Any]:
        normalize = None if self.normalize is None else self.normalize.state_dict()
        return {"input_shape": self.input_shape, "input_dtype": self.input_dtype, "normalize": normalize}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.input_shape, self.input_dtype = tuple(state_dict["input_shape"]), state_dict["input_dtype"]
        self._restored = True
        if state_dict["normalize"] is not None:
            self.normalize = Standardize(**state_dict["normalize"])

    def fingerprint(self) -> str:
        """SHA-256 over all tensors of all splits."""
        self.setup()
        digest = hashlib.sha256()
        for tensor in chain(*(self.splits or ())):
            digest.update(f"{tensor.dtype} {list(tensor.shape)}".encode())
            digest.update(tensor.contiguous().view(torch.uint8).numpy())
        return digest.hexdigest()

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        if all(isinstance(each, Tensor) and each.device == device for each in batch):  # as a TensorLoader's are
            return batch
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        inputs, *rest = batch
        if self.trainer is not None and self.trainer.training:
            inputs = self.augment(inputs)
        if self.normalize is not None:
            inputs = self.normalize(inputs)
        if self.trainer is not None:
            inputs = self.trainer.precision_plugin.convert_input(inputs)
        return (inputs, *rest)

    def augment(self, inputs: Tensor) -> Tensor:
        """To override: inputs [N, ...] as training should see them, before they are normalised."""
        return inputs
