from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer, seed_everything
from torch import Tensor, nn
from torchmetrics import MeanSquaredError

from leyden.errors import UserError
from leyden.training import Splits, SupervisedModule, TensorDataModule, schedulers


class Line(SupervisedModule):
    def __init__(self) -> None:
        super().__init__(loss=nn.MSELoss(), metrics={"mse": MeanSquaredError()})
        self.layer = nn.Linear(1, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.layer(inputs)
        return outputs


class Points(TensorDataModule):
    """Ten points of y = 3x - 1 to train on, and two to validate on."""

    def load(self) -> Splits:
        inputs = torch.linspace(-1, 1, 10).unsqueeze(1)
        points = inputs, 3 * inputs - 1
        return Splits(points, (points[0][:2], points[1][:2]), points)


def trainer(folder: Path, **arguments: object) -> Trainer:
    defaults = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    return Trainer(default_root_dir=folder, **{**defaults, **arguments})


def test_a_model_trains_in_a_notebook_with_nothing_but_lightning(tmp_path: Path) -> None:
    seed_everything(0)
    model = Line()
    model.make_optimizer = partial(torch.optim.SGD, lr=0.1)
    trainer(tmp_path, max_epochs=200).fit(model, Points(batch_size=5))
    assert float(model.layer.weight) == pytest.approx(3, abs=1e-3)
    assert float(model.layer.bias) == pytest.approx(-1, abs=1e-3)


def test_logged_values_are_the_means_over_the_samples_of_the_epoch(tmp_path: Path) -> None:
    model = Line()
    model.make_optimizer = partial(torch.optim.SGD, lr=0.0)  # so that the epoch can be computed again afterwards
    fit = trainer(tmp_path, max_epochs=1)
    fit.fit(model, data := Points(batch_size=3))
    expected = {}
    for stage, (inputs, targets) in (("train", data.splits.train), ("val", data.splits.val)):
        expected[f"{stage}/loss"] = expected[f"{stage}/mse"] = pytest.approx(
            float((model(inputs) - targets).square().mean())
        )
    assert {name: float(value) for name, value in fit.callback_metrics.items()} == expected


def test_training_metrics_are_taken_in_the_epochs_that_end_with_a_validation(tmp_path: Path) -> None:
    names = []

    class Names(Line):
        def on_train_epoch_end(self) -> None:
            super().on_train_epoch_end()
            names.append(sorted(self.trainer.callback_metrics))

    trainer(tmp_path, max_epochs=4, check_val_every_n_epoch=2).fit(Names(), Points(batch_size=5))
    everything = ["train/loss", "train/mse", "val/loss", "val/mse"]
    assert names[0] == []
    assert names[1] == names[3] == everything


def learning_rates(folder: Path, make_scheduler: object, **arguments: object) -> list[float]:
    """The rate of every step in three epochs of two steps."""
    rates = []

    class Rates(Line):
        def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
            rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])

    model = Rates()
    model.make_optimizer = partial(torch.optim.SGD, lr=1.0)
    model.make_scheduler = make_scheduler
    trainer(folder, max_epochs=3, **arguments).fit(model, Points(batch_size=5))
    return rates


def test_a_scheduler_that_spans_the_training_is_told_how_long_it_is_and_stepped_every_step(tmp_path: Path) -> None:
    assert learning_rates(tmp_path, schedulers.linear) == pytest.approx([1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


def test_any_other_scheduler_is_stepped_every_epoch(tmp_path: Path) -> None:
    step = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
    assert learning_rates(tmp_path, step) == [1, 1, 0.5, 0.5, 0.25, 0.25]


def test_a_plateau_is_looked_for_where_there_was_a_validation(tmp_path: Path) -> None:
    plateau = partial(torch.optim.lr_scheduler.ReduceLROnPlateau, mode="max", patience=0, factor=0.5)
    assert learning_rates(tmp_path, plateau, check_val_every_n_epoch=1) == [1, 1, 1, 1, 0.5, 0.5]
    assert learning_rates(tmp_path, plateau, check_val_every_n_epoch=3) == [1] * 6


def test_a_one_cycle_that_is_shorter_than_the_training_is_refused(tmp_path: Path) -> None:
    one_cycle = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=5)
    with pytest.raises(UserError, match=r"^scheduler\.total_steps=5: the training takes 6 steps, and OneCycleLR "):
        learning_rates(tmp_path, one_cycle)
    one_cycle = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=6)
    assert len(learning_rates(tmp_path, one_cycle)) == 6


def test_total_steps_that_are_given_are_kept(tmp_path: Path) -> None:
    linear = partial(schedulers.linear, total_steps=4)
    assert learning_rates(tmp_path, linear) == pytest.approx([1, 0.75, 0.5, 0.25, 0, 0])


def test_a_schedule_of_a_training_without_end_is_refused(tmp_path: Path) -> None:
    model = Line()
    model.make_scheduler = schedulers.cosine
    with pytest.raises(UserError, match=r"must know how long training is: set trainer.max_epochs or trainer.max_steps"):
        trainer(tmp_path, max_epochs=-1).fit(model, Points(batch_size=5))


def test_frozen_parameters_are_not_given_to_the_optimizer() -> None:
    model = Line()
    model.layer.bias.requires_grad_(False)
    optimizer = model.configure_optimizers()
    assert [id(p) for group in optimizer.param_groups for p in group["params"]] == [id(model.layer.weight)]


@pytest.mark.parametrize(
    ("options", "trainer", "fused"),
    [
        ({}, {}, True),
        ({"fused": False}, {}, False),
        ({"foreach": True}, {}, None),
        ({}, {"precision": "bf16-mixed"}, True),
        ({}, {"precision": "bf16-mixed", "gradient_clip_val": 1.0}, None),
    ],
)
def test_optimizers_take_all_parameters_in_one_pass_where_they_can(
    options: dict[str, Any], trainer: dict[str, Any], fused: bool | None
) -> None:
    model = Line()
    model.make_optimizer = partial(torch.optim.Adam, **options)
    lightning = Trainer(accelerator="cpu", fast_dev_run=True, enable_progress_bar=False, logger=False, **trainer)
    lightning.fit(model, Points(batch_size=5))
    assert lightning.optimizers[0].defaults["fused"] is fused


class Counting(Line):
    """Has one hook of its own, which calls that of Lightning."""

    def __init__(self) -> None:
        super().__init__()
        self.starts = 0

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        super().on_train_batch_start(batch, batch_idx)
        self.starts += 1


def test_hooks_of_a_model_are_called_though_idle_ones_are_left_out(tmp_path: Path) -> None:
    model = Counting()
    trainer(tmp_path, max_epochs=2).fit(model, Points(batch_size=5))
    assert model.starts == 4
    assert model.on_after_backward is None


def test_a_training_that_clips_does_so_after_one_that_did_not(tmp_path: Path) -> None:
    """The steps of SGD at a rate of 1 are the gradients: none is longer than what they are clipped to."""
    model = Line()
    model.make_optimizer = partial(torch.optim.SGD, lr=1.0)
    trainer(tmp_path, max_epochs=1).fit(model, Points(batch_size=10))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    trainer(tmp_path, max_epochs=1, gradient_clip_val=0.01).fit(model, Points(batch_size=10))
    steps = [(now - then).square().sum() for now, then in zip(model.parameters(), before, strict=True)]
    assert float(sum(steps).sqrt()) == pytest.approx(0.01, rel=1e-4)
