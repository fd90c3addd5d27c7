import re
from itertools import chain
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor, nn

from leyden.errors import UserError
from leyden.training import Splits, SupervisedModule, TensorDataModule, TensorLoader
from leyden.training.augment import Standardize
from leyden.training.tensor_data import shuffled


def visited(loader: TensorLoader) -> list[int]:
    return [int(value) for (batch,) in loader for value in batch]


def epochs(loader: TensorLoader, count: int) -> list[list[int]]:
    """What each of the first epochs visits, as Lightning goes through them."""
    orders = []
    for epoch in range(count):
        loader.set_epoch(epoch)
        orders.append(visited(loader))
    return orders


def numbers(count: int) -> tuple[Tensor]:
    return (torch.arange(count),)


def test_each_epoch_visits_every_sample_once_in_another_order_that_the_seed_decides() -> None:
    loader, same, other = (TensorLoader(numbers(10), 3, shuffle=True, seed=seed) for seed in (1, 1, 2))
    first, second = epochs(loader, 2)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert epochs(same, 2) == [first, second]
    assert epochs(other, 1) != [first]


def test_an_order_that_is_not_shuffled_is_that_of_the_data() -> None:
    loader = TensorLoader(numbers(7), 3)
    assert [batch.tolist() for (batch,) in loader] == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(loader) == 3


def test_many_small_batches_are_those_that_one_by_one_would_be() -> None:
    """They are gathered many at a time: 1,000 samples by threes make four such blocks."""
    loader, resumed = (TensorLoader(numbers(1000), 3, shuffle=True) for _ in range(2))
    batches = [batch.tolist() for (batch,) in loader]
    order = shuffled(1000, 0, 0).tolist()
    assert batches == [order[start : start + 3] for start in range(0, 1000, 3)]
    assert loader.indices.tolist() == order[-1:]
    resumed.load_state_dict({"epoch": 0, "position": 200})
    assert [batch.tolist() for (batch,) in resumed] == batches[200:]


def test_a_loader_goes_on_where_its_state_was_saved() -> None:
    loader, resumed = (TensorLoader(numbers(10), 2, shuffle=True) for _ in range(2))
    loader.set_epoch(3)
    batches = iter(loader)
    seen = [next(batches)[0].tolist() for _ in range(2)]
    resumed.load_state_dict(loader.state_dict())
    resumed.set_epoch(3)
    rest = [batch.tolist() for (batch,) in resumed]
    assert rest == [batch[0].tolist() for batch in batches]
    assert sorted(chain(*seen, *rest)) == list(range(10))
    for each in (loader, resumed):
        each.set_epoch(4)
    assert visited(resumed) == visited(loader)  # and the epoch after it is the same too


class Steps(SupervisedModule):
    """Remembers what it was trained on."""

    def __init__(self) -> None:
        super().__init__(loss=nn.MSELoss())
        self.layer = nn.Linear(1, 1)
        self.seen: list[list[float]] = []

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.layer(inputs)
        return outputs

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        self.seen.append(batch[0].flatten().tolist())
        return super().training_step(batch, batch_idx)


class Line(TensorDataModule):
    def load(self) -> Splits:
        points = torch.arange(10.0).unsqueeze(1), torch.arange(10.0).unsqueeze(1)
        return Splits(points, points, points)


class SaveAt(Callback):
    def __init__(self, step: int, file: Path) -> None:
        self.step = step
        self.file = file

    def on_train_batch_end(self, trainer: Trainer, *_: object) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.file)


@pytest.mark.parametrize("limit", [1.0, 3])
@pytest.mark.parametrize("step", [1, 3, 4, 5, 7, 10])
def test_a_training_goes_on_with_the_same_batches_from_a_checkpoint_of_any_step(
    step: int, limit: float, tmp_path: Path
) -> None:
    """Five batches an epoch, or three of them where they are limited: steps in the middle and at the end of epochs."""

    def fit(model: Steps, *callbacks: Callback, checkpoint: Path | None = None) -> list[list[float]]:
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=4,
            limit_train_batches=limit,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            callbacks=list(callbacks),
            default_root_dir=tmp_path,
        )
        trainer.fit(model, datamodule=Line(batch_size=2), ckpt_path=checkpoint, weights_only=True)
        return model.seen

    whole, resumed = Steps(), Steps()
    batches = fit(whole, SaveAt(step, tmp_path / "step.ckpt"))
    assert fit(resumed, checkpoint=tmp_path / "step.ckpt") == batches[step:]
    assert torch.equal(resumed.layer.weight, whole.layer.weight)


def test_a_split_is_large_enough_for_all_processes() -> None:
    data = Line(batch_size=1)
    data.trainer = Trainer(accelerator="cpu", strategy="ddp", devices=11, logger=False)
    with pytest.raises(UserError, match="train has 10 samples for 11 processes"):
        data.train_dataloader()


def test_what_a_checkpoint_holds_of_the_data_is_used_in_place_of_what_the_data_says() -> None:
    trained, other = Ones(batch_size=1), Ones(batch_size=1)
    trained.setup()
    trained.normalize = Standardize(torch.tensor([0.0]), torch.tensor([2.0]))
    other.load_state_dict(trained.state_dict())
    other.setup()
    assert other.on_after_batch_transfer((torch.ones(1, 1),), 0)[0].item() == 0.5


def test_one_byte_of_data_changes_its_fingerprint() -> None:
    first, same, other = (Line(batch_size=1) for _ in range(3))
    other.setup()
    other.splits.test[1][3] += 1
    assert first.fingerprint() == same.fingerprint() != other.fingerprint()


def test_processes_share_an_epoch_and_make_equally_many_steps_in_training() -> None:
    shards = [TensorLoader(numbers(10), 2, shuffle=True, rank=rank, world_size=4) for rank in range(4)]
    orders = [visited(shard) for shard in shards]
    assert [len(order) for order in orders] == [3, 3, 3, 3]
    assert set(chain(*orders)) == set(range(10))
    assert [len(shard) for shard in shards] == [2, 2, 2, 2]


def test_processes_share_an_evaluation_with_no_sample_twice() -> None:
    shards = [TensorLoader(numbers(10), 2, rank=rank, world_size=4) for rank in range(4)]
    assert sorted(chain(*(visited(shard) for shard in shards))) == list(range(10))
    assert [len(shard) for shard in shards] == [2, 2, 1, 1]


class Ones(TensorDataModule):
    def load(self) -> Splits:
        points = torch.ones(4, 1), torch.ones(4, 1)
        self.normalize = Standardize(torch.tensor([0.5]), torch.tensor([0.25]))  # 1 becomes 2
        return Splits(points, points, points)

    def augment(self, inputs: Tensor) -> Tensor:
        return inputs + 1  # and 2 becomes 6


class Seen(SupervisedModule):
    def __init__(self) -> None:
        super().__init__(loss=nn.MSELoss())
        self.layer = nn.Linear(1, 1)
        self.inputs: dict[str, set[float]] = {}

    def forward(self, inputs: Tensor) -> Tensor:
        self.inputs.setdefault(self.trainer.state.stage.value, set()).update(inputs.flatten().tolist())
        result: Tensor = self.layer(inputs)
        return result


def test_inputs_are_normalised_in_every_stage_and_augmented_in_training_alone(tmp_path) -> None:
    model = Seen()
    trainer = Trainer(
        accelerator="cpu", max_epochs=1, logger=False, default_root_dir=tmp_path, enable_checkpointing=False
    )
    trainer.fit(model, datamodule=Ones(batch_size=2))
    trainer.test(model, datamodule=Ones(batch_size=2))
    assert model.inputs == {"sanity_check": {2.0}, "train": {6.0}, "validate": {2.0}, "test": {2.0}}


@pytest.mark.parametrize("arguments", [{"batch_size": 0}, {"batch_size": 1, "eval_batch_size": -3}])
def test_a_batch_holds_at_least_one_sample(arguments: dict[str, int]) -> None:
    name, size = list(arguments.items())[-1]
    with pytest.raises(ValueError, match=f"^{name} must be at least 1, not {size}$"):
        Ones(**arguments)


HALF = torch.zeros(4), torch.zeros(5)


@pytest.mark.parametrize(("loaded", "said"), [
    (None, "load() must return Splits(train, val, test), not NoneType"),
    ((HALF, HALF, HALF), "load() must return Splits(train, val, test), not tuple"),
    (Splits(HALF[0], HALF[0], HALF[0]), "train must be tensors (inputs, targets, ...), each [N, ...], not Tensor"),
    (Splits(HALF[:1], HALF, HALF), "val has tensors of different lengths: 4, 5"),
])  # fmt: skip
def test_what_load_must_return(loaded: Splits, said: str) -> None:
    class Loaded(TensorDataModule):
        def load(self) -> Splits:
            return loaded

    with pytest.raises(UserError, match=re.escape(f"data (Loaded): {said}")):
        Loaded(batch_size=1).setup()
