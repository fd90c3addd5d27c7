"""A population in plain Lightning: its loader, its metrics, its interval, and what it refuses."""

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torchmetrics import MeanSquaredError, Metric
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC

from lab.data import NoisySineDataModule, XORDataModule
from leyden.errors import UserError
from leyden.training import SupervisedModule, TensorDataModule
from leyden.training.population import Population, PopulationData
from leyden.training.population.metrics import of_each
from leyden.training.population.module import wilson_interval


@pytest.mark.parametrize(("successes", "trials", "interval"), [
    (0, 10, (0.0, 0.2775)),
    (9, 10, (0.5958, 0.9821)),
    (10, 10, (0.7225, 1.0)),
    (81, 263, (0.2553, 0.3662)),  # Newcombe 1998, table I, https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8
])  # fmt: skip
def test_the_interval_of_a_success_rate(successes: int, trials: int, interval: tuple[float, float]) -> None:
    assert wilson_interval(successes, trials) == pytest.approx(interval, abs=5e-5)


@pytest.mark.parametrize("metric", [
    BinaryAccuracy(validate_args=False), MeanSquaredError(), BinaryAUROC(),
])  # fmt: skip
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_metric_of_all_members_is_that_of_each(metric: Metric, scale: float) -> None:
    """Scaled by 3, the predictions of one member alone are no probabilities, and are taken for logits."""
    torch.manual_seed(0)
    predictions, targets = torch.rand(50, 3), torch.randint(2, (50, 3))
    predictions[:, 1] *= scale
    each = [metric.clone() for _ in range(3)]
    for index, alone in enumerate(each):
        alone.update(predictions[:, index], targets[:, index])
    torch.testing.assert_close(
        of_each(metric, predictions, targets), torch.stack([alone.compute() for alone in each]), rtol=1e-6, atol=0
    )


def test_a_loader_hands_out_what_each_member_would_get() -> None:
    alone = [
        NoisySineDataModule(batch_size=30, noise_seed=noise, seed=seed) for noise, seed in ((0, 0), (0, 1), (1, 2))
    ]
    data = PopulationData()
    for member in alone:
        data.add(member)
    assert len(data.sets) == 2
    loader, loaders = data.train_dataloader(), [member.train_dataloader() for member in alone]
    for epoch in range(2):
        for each in (loader, *loaders):
            each.set_epoch(epoch)
        for batch, *batches in zip(loader, *loaders, strict=True):
            for index, (member, own) in enumerate(zip(alone, batches, strict=True)):
                inputs, targets = member.on_after_batch_transfer(own, 0)
                assert torch.equal(batch[0][:, index], inputs)
                assert torch.equal(batch[1][:, index], targets)


class Classifier(SupervisedModule):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(nn.MSELoss(), {"accuracy": BinaryAccuracy()})
        self.layers = nn.Sequential(nn.Linear(2, 1), *layers)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)


class OwnStep(Classifier):
    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        return self(batch[0]).mean()


class Branches(Classifier):
    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.layers(inputs)
        return outputs if outputs.sum() > 0 else -outputs


def frozen() -> Classifier:
    model = Classifier()
    model.layers[0].bias.requires_grad_(False)
    return model


@pytest.mark.parametrize(("model", "message"), [
    (Classifier(nn.BatchNorm1d(1)), r"running statistics or other buffers \(layers.1.running_mean\)"),
    (OwnStep(), "has its own training_step"),
    (frozen(), r"parameters that are not trained \(layers.0.bias\)"),
    (Classifier(nn.Dropout()), "cannot be trained as one computation: vmap: called random operation"),
    (Branches(), "cannot be trained as one computation: vmap: It looks like you're"),
])  # fmt: skip
def test_a_model_that_cannot_be_batched_is_refused(model: Classifier, message: str) -> None:
    data = PopulationData()
    data.add(XORDataModule())
    trainer = Trainer(accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False)
    with pytest.raises(UserError, match=message):
        trainer.fit(Population([model]), data)
    assert trainer.global_step == 0


class Augmented(XORDataModule):
    def augment(self, inputs: Tensor) -> Tensor:
        return inputs + torch.randn_like(inputs)


@pytest.mark.parametrize(("data", "message"), [
    (Augmented(), "population: Augmented has its own augment"),
    (NoisySineDataModule(points=7), "differ in size"),
])  # fmt: skip
def test_data_that_cannot_be_stacked_is_refused(data: TensorDataModule, message: str) -> None:
    population = PopulationData()
    population.add(NoisySineDataModule())
    with pytest.raises(UserError, match=message):
        population.add(data)
