"""A number that goes wrong stops the training at its step, and tells what the step was made of."""

import math
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer, seed_everything
from torch import Tensor, nn

from leyden.training import Splits, SupervisedModule, TensorDataModule
from leyden.training.callbacks import Guard, NonFiniteError

BAD = 5  # the sample that goes wrong


class Line(SupervisedModule):
    def __init__(self) -> None:
        super().__init__(nn.MSELoss())
        self.layer = nn.Linear(1, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs)


class Root(Line):
    """Its loss is finite at 0, where its gradient is not."""

    def forward(self, inputs: Tensor) -> Tensor:
        return (self.layer(inputs) * (inputs != 0)).abs().sqrt()


class Points(TensorDataModule):
    def __init__(self, bad: float) -> None:
        super().__init__(batch_size=2, seed=3)
        self.bad = bad

    def load(self) -> Splits:
        inputs = torch.arange(1.0, 9.0).unsqueeze(1)
        inputs[BAD] = self.bad
        points = inputs, inputs.nan_to_num(0, 0, 0)
        return Splits(points, points, points)


@pytest.mark.parametrize(
    ("model", "bad", "loss"), [(Line, math.nan, math.nan), (Line, math.inf, math.inf), (Root, 0.0, None)]
)
def test_the_step_is_not_taken_and_all_that_it_was_made_of_is_kept(
    model: type[Line], bad: float, loss: float | None, tmp_path: Path
) -> None:
    seed_everything(0, verbose=False)
    module, data = model(), Points(bad)
    order = torch.split(torch.randperm(8, generator=torch.Generator().manual_seed(3 * 1_000_003)), 2)
    step = next(index for index, batch in enumerate(order) if BAD in batch)
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        max_epochs=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[Guard(tmp_path)],
    )
    with pytest.raises(
        NonFiniteError, match=rf"^step {step} \(epoch 0, batch {step}\): the loss is .*0\.001; .*nonfin"
    ):
        trainer.fit(module, datamodule=data)
    kept = torch.load(tmp_path / "nonfinite.ckpt", weights_only=True)
    assert (kept["step"], kept["epoch"], kept["learning_rates"]) == (step, 0, [0.001])
    assert torch.equal(kept["indices"], order[step])
    assert torch.equal(kept["batch"][0].nan_to_num(), data.splits.train[0][order[step]].nan_to_num())
    assert not math.isfinite(kept["largest_gradient_norm"])
    assert loss is None or str(kept["loss"]) == str(loss)
    assert math.isfinite(kept["loss"]) == (loss is None)
    assert all(torch.equal(kept["state_dict"][name], value) for name, value in module.state_dict().items())
    assert all(bool(value.isfinite().all()) for value in module.state_dict().values())
    assert trainer.global_step == step + 1  # Lightning counts the step that changed nothing


class Masked(SupervisedModule):
    """Scores the right class with minus infinity: the loss is infinite, its gradient is not."""

    def __init__(self) -> None:
        super().__init__(nn.CrossEntropyLoss())
        self.scores = nn.Parameter(torch.zeros(2))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.scores + torch.where(inputs.isnan(), torch.tensor([0.0, -math.inf]), torch.zeros(2))


class Classes(Points):
    def load(self) -> Splits:
        inputs, _ = super().load().train
        points = inputs, torch.ones(len(inputs), dtype=torch.int64)
        return Splits(points, points, points)


def test_a_loss_is_seen_where_its_gradient_is_finite(tmp_path: Path) -> None:
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        max_epochs=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[Guard(tmp_path)],
    )
    with pytest.raises(NonFiniteError, match=r"the loss is inf, .* has the batch and the weights after it$"):
        trainer.fit(Masked(), datamodule=Classes(math.nan))


def test_numbers_that_are_finite_are_left_alone(tmp_path: Path) -> None:
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        max_epochs=2,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[Guard(tmp_path)],
    )
    trainer.fit(Line(), datamodule=Points(6.0))
    assert trainer.global_step == 8
    assert list(tmp_path.iterdir()) == []
