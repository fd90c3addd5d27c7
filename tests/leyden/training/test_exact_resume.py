"""A training that is stopped at any step and goes on ends as one that was never stopped, to the last bit."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping
from plain_lightning import PlainData, PlainModel
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import MeanAbsoluteError, MeanSquaredError

from leyden.signals import Stop
from leyden.training import Splits, SupervisedModule, TensorDataModule
from leyden.training.callbacks import BestCheckpoint, LastCheckpoint
from leyden.training.callbacks.last import ONE_SIGNAL
from leyden.training.checkpoint_io import DurableCheckpointIO
from leyden.training.loggers import CSVLogger
from leyden.training.schedulers import linear

SAMPLES = 14  # in batches of 4: four steps an epoch, the last one of two samples


class Net(SupervisedModule):
    """With all that depends on more than the weights: dropout, batch norm, metrics, a rate of its own schedule."""

    def __init__(self) -> None:
        super().__init__(nn.MSELoss(), {"mse": MeanSquaredError()})
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)


class Data(TensorDataModule):
    def load(self) -> Splits:
        inputs = torch.randn(SAMPLES, 3, generator=torch.Generator().manual_seed(1))
        points = inputs, inputs.square().sum(1, keepdim=True)
        return Splits(points, points, points)

    def augment(self, inputs: Tensor) -> Tensor:
        return inputs + 0.1 * torch.randn_like(inputs)


class TellAt(Callback):
    """Sends this process a signal in the middle of a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step == self.step:
            self.step = -1
            os.kill(os.getpid(), signal.SIGTERM)


Outcome = tuple[dict[str, Tensor], str, float | None]


def fit(
    folder: Path,
    make: Callable[[], tuple[LightningModule, LightningDataModule]],
    *callbacks: Callback,
    checkpoint: Path | None = None,
    **arguments: Any,
) -> Outcome:
    """Final weights, metrics.csv and the best value of a training in `folder`."""
    seed_everything(0, verbose=False)
    model, data = make()
    logger = CSVLogger(folder)
    best = BestCheckpoint(folder / "checkpoints", "val/loss")

    class Continue(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            logger.continue_from(trainer.global_step)

    trainer = Trainer(
        accelerator="cpu",
        logger=logger,
        plugins=[DurableCheckpointIO()],
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[best, LastCheckpoint(folder / "checkpoints"), Continue(), *callbacks],
        **({"max_epochs": 4, "check_val_every_n_epoch": 2} | arguments),
    )
    folder.mkdir(exist_ok=True)
    trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    file = folder / "metrics.csv"
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    return weights, file.read_text() if file.exists() else "", best.value


def stopped_and_resumed(folder: Path, make: Any, step: int, callbacks: Any = (), **arguments: Any) -> Outcome:
    with pytest.raises(Stop, match="143"):
        fit(folder, make, *(callback() for callback in callbacks), TellAt(step), **arguments)
    last = folder / "checkpoints" / "last.ckpt"
    return fit(folder, make, *(callback() for callback in callbacks), checkpoint=last, **arguments)


def assert_same(one: Outcome, other: Outcome) -> None:
    assert all(torch.equal(value, other[0][name]) for name, value in one[0].items())
    assert one[1:] == other[1:]


def net(scheduler: Any = None) -> tuple[LightningModule, LightningDataModule]:
    model = Net()
    model.make_optimizer = partial(torch.optim.Adam, lr=0.05)
    model.make_scheduler = scheduler
    return model, Data(batch_size=4)


def net_in_blocks() -> tuple[LightningModule, LightningDataModule]:
    """Its metrics are passed on with every batch, so that little of them is kept."""
    model, data = net()
    assert isinstance(model, Net)
    model.train_metrics.block = 1
    return model, data


plateau = partial(ReduceLROnPlateau, factor=0.5, patience=0, threshold=10.0)

CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "as by default": (net, {}),
    "a scheduler over all steps": (partial(net, linear), {}),
    "a scheduler by epoch": (partial(net, partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)), {}),
    "a plateau": (partial(net, plateau), {"check_val_every_n_epoch": 1}),
    "accumulated gradients": (net, {"accumulate_grad_batches": 2}),
    "a validation in mid-epoch": (net, {"val_check_interval": 0.4, "check_val_every_n_epoch": 1}),
    "an end by steps": (net, {"max_epochs": -1, "max_steps": 15}),
    "few batches": (net, {"limit_train_batches": 3}),
}


@pytest.mark.parametrize("case", CASES)
def test_stopped_at_any_step_it_ends_as_if_it_had_not_been(case: str, tmp_path: Path) -> None:
    make, arguments = CASES[case]
    whole = fit(tmp_path / "whole", make, **arguments)
    steps = torch.load(tmp_path / "whole" / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert len(whole[1].splitlines()) > 2
    for step in range(0, steps, 1 if case == "as by default" else 5):
        assert_same(whole, stopped_and_resumed(tmp_path / str(step), make, step, **arguments))


def test_stopped_twice_in_one_epoch_it_has_the_metrics_of_all_of_it(tmp_path: Path) -> None:
    whole = fit(tmp_path / "whole", net_in_blocks)
    last = tmp_path / "part" / "checkpoints" / "last.ckpt"
    for step in (4, 5):  # of 4 to 7, in an epoch whose metrics are logged
        with pytest.raises(Stop):
            fit(tmp_path / "part", net_in_blocks, TellAt(step), checkpoint=last if step > 4 else None)
    assert_same(whole, fit(tmp_path / "part", net_in_blocks, checkpoint=last))


def test_a_training_that_stopped_early_is_not_trained_on_unless_it_is_asked_to(tmp_path: Path) -> None:
    def impatient() -> Callback:
        return EarlyStopping("val/loss", patience=1, min_delta=100.0)

    arguments = {"max_epochs": 9, "check_val_every_n_epoch": 1}
    whole = fit(tmp_path, net, impatient(), **arguments)
    last = tmp_path / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["epoch"] == 2
    assert_same(whole, fit(tmp_path, net, impatient(), checkpoint=last, **arguments))
    trained_on = fit(tmp_path, net, checkpoint=last, **(arguments | {"max_epochs": 10}))
    assert len(trained_on[1].splitlines()) == 1 + 10


class PlainShuffled(PlainData):
    """Its loader draws the order of an epoch from the global random numbers, and does not know its place in it."""

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        loader = self._loader()
        assert isinstance(loader.dataset, TensorDataset)
        return DataLoader(loader.dataset, self.batch_size, shuffle=True)


class PlainMetric(PlainModel):
    def __init__(self) -> None:
        super().__init__(features=2)
        self.error = MeanAbsoluteError()

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        self.error(self.layer(batch[0]), batch[1])
        self.log("train/error", self.error, on_step=False, on_epoch=True)
        return super().training_step(batch, batch_idx)


def plain() -> tuple[LightningModule, LightningDataModule]:
    return PlainMetric(), PlainShuffled(batch_size=8)


def test_a_plain_module_with_plain_loaders_goes_on_exactly_between_epochs(tmp_path: Path) -> None:
    arguments = {"check_val_every_n_epoch": 1, "log_every_n_steps": 1}
    whole = fit(tmp_path / "whole", plain, **arguments)
    for step in (3, 7, 11):  # the last ones of their epochs
        assert_same(whole, stopped_and_resumed(tmp_path / str(step), plain, step, **arguments))


def test_the_metric_of_a_plain_module_counts_the_whole_epoch(tmp_path: Path) -> None:
    def ordered() -> tuple[LightningModule, LightningDataModule]:
        return PlainMetric(), Stateful(batch_size=8)

    arguments = {"check_val_every_n_epoch": 1, "log_every_n_steps": 1}
    whole = fit(tmp_path / "whole", ordered, **arguments)
    assert_same(whole, stopped_and_resumed(tmp_path / "1", ordered, 1, **arguments))


class Stateful(TensorDataModule):
    def load(self) -> Splits:
        points = tuple(PlainData(32)._loader().dataset.tensors)
        return Splits(points, points, points)


def test_told_twice_it_stops_at_once_and_keeps_what_it_had(tmp_path: Path) -> None:
    class Twice(TellAt):
        def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
            if trainer.global_step == self.step:
                os.kill(os.getpid(), signal.SIGINT)
                until = time.monotonic() + 2 * ONE_SIGNAL
                while time.monotonic() < until:
                    pass
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stop, match="130"):
        fit(tmp_path, net, Twice(2))
    assert not (tmp_path / "checkpoints" / "last.ckpt").exists()


class TellInValidation(Callback):
    def on_validation_batch_start(self, trainer: Trainer, *args: Any) -> None:
        if trainer.current_epoch == 1 and not trainer.sanity_checking:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(("patience", "step"), [(5.0, 8), (-1.0, None)])
def test_told_in_a_validation_it_waits_for_its_end_but_not_for_long(
    patience: float, step: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`step` is that of the checkpoint it leaves."""
    monkeypatch.setattr("leyden.training.callbacks.last.VALIDATION_SECONDS", patience)
    whole = fit(tmp_path / "whole", net)
    with pytest.raises(Stop, match="143"):
        fit(tmp_path / "part", net, TellInValidation())
    last = tmp_path / "part" / "checkpoints" / "last.ckpt"
    assert (torch.load(last, weights_only=True)["global_step"] if last.exists() else None) == step
    assert_same(whole, fit(tmp_path / "part", net, checkpoint=last if step else None))


def test_the_last_two_checkpoints_are_kept_at_the_steps_that_are_asked_for(tmp_path: Path) -> None:
    class Rarely(Callback):
        """Looks at what is there as the sixth step begins."""

        def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
            if trainer.global_step == 6:
                names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
                found.update({name: torch.load(tmp_path / "checkpoints" / name)["global_step"] for name in names})

    found: dict[str, int] = {}
    seed_everything(0, verbose=False)
    model, data = net()
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        max_epochs=2,
        plugins=[DurableCheckpointIO()],
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[LastCheckpoint(tmp_path / "checkpoints", every_n_steps=2, every_n_minutes=None), Rarely()],
    )
    trainer.fit(model, datamodule=data)
    assert found == {"last.ckpt": 4, "previous.ckpt": 2, "next.ckpt": 6}
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["last.ckpt", "previous.ckpt"]
