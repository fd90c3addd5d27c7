from itertools import chain

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from leyden.training import Splits, SupervisedModule, TensorDataModule, TensorLoader
from leyden.training.augment import Standardize


def visited(loader: TensorLoader) -> list[int]:
    return [int(value) for (batch,) in loader for value in batch]


def numbers(count: int) -> tuple[Tensor]:
    return (torch.arange(count),)


def test_each_epoch_visits_every_sample_once_in_another_order_that_the_seed_decides() -> None:
    loader, same, other = (TensorLoader(numbers(10), 3, shuffle=True, seed=seed) for seed in (1, 1, 2))
    first, second = visited(loader), visited(loader)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert [visited(same), visited(same)] == [first, second]
    assert visited(other) != first


def test_an_order_that_is_not_shuffled_is_that_of_the_data() -> None:
    loader = TensorLoader(numbers(7), 3)
    assert [batch.tolist() for (batch,) in loader] == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(loader) == 3


def test_a_loader_goes_on_where_its_state_was_saved() -> None:
    loader = TensorLoader(numbers(10), 2, shuffle=True)
    visited(loader)
    batches = iter(loader)
    seen = [next(batches)[0].tolist() for _ in range(2)]
    resumed = TensorLoader(numbers(10), 2, shuffle=True)
    resumed.load_state_dict(loader.state_dict())
    rest = [batch.tolist() for (batch,) in resumed]
    assert rest == [batch[0].tolist() for batch in batches]
    assert sorted(chain(*seen, *rest)) == list(range(10))
    assert visited(resumed) == visited(loader)  # and the epoch after it is the same too


def test_a_state_saved_at_the_end_of_an_epoch_begins_the_next() -> None:
    loader, resumed = (TensorLoader(numbers(6), 2, shuffle=True) for _ in range(2))
    visited(loader)
    resumed.load_state_dict(loader.state_dict())
    assert visited(resumed) == visited(loader)


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
        self.augment = lambda inputs: inputs + 1  # and 2 becomes 6
        return Splits(points, points, points)


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
