"""Arguments of a config's `_target_`s, held against their signatures."""

import random
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import config_errors
import pytest
from conftest import CONFIGS, EXPERIMENTS, called
from hydra import compose, initialize_config_dir

from leyden.config.app import use_paths_of
from leyden.config.origin import Origin
from leyden.config.signatures import problems

OWN = """
from __future__ import annotations
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal
from lightning.pytorch import Callback
if TYPE_CHECKING:
    from nowhere import Thing

class Watch(Callback):
    def __init__(self, size: int, mode: Literal["min", "max"] = "min", thing: Thing = None, sizes: Sequence[int] = ()):
        self.size = size

class Open(Callback):
    def __init__(self, *, path: str, **more) -> None: ...

def broken() -> None: ...
"""


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "own_classes.py").write_text(OWN)
    (tmp_path / "fails.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    use_paths_of(CONFIGS.parent)
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        yield


def found(*words: str) -> list[str]:
    words = *words, "targets=[lab,own_classes,fails]", "paths.run_dir=here"
    return [str(problem) for problem in problems(compose("train", overrides=[*words]), Origin(words, [CONFIGS]))]


def line_of(file: str, text: str) -> str:
    """The file, and in which of its lines that begins with `text`."""
    lines = (CONFIGS / file).read_text().splitlines()
    return f"{file}:{next(number for number, line in enumerate(lines, 1) if line.startswith(text))}"


def options(group: str) -> list[str]:
    return sorted(file.stem for file in (CONFIGS / group).glob("*.yaml"))


@pytest.mark.usefixtures("configs")
@pytest.mark.parametrize("experiment", [None, *EXPERIMENTS])
def test_no_shipped_experiment_is_blamed(experiment: str | None) -> None:
    assert found(*([f"experiment={experiment}"] if experiment else [])) == []


@pytest.mark.slow
@pytest.mark.usefixtures("configs")
@pytest.mark.parametrize("experiment", ["xor", "sine"])
def test_no_combination_of_options_is_blamed(experiment: str) -> None:
    """Each option of each group, and every optimizer under every scheduler."""
    alone = [
        [f"{group}={option}"] for group in ("trainer", "callbacks", "logger", "debug") for option in options(group)
    ]
    pairs = product(options("optimizer"), options("scheduler"))
    both = [[f"optimizer={optimizer}", f"scheduler={scheduler}"] for optimizer, scheduler in pairs]
    assert {
        " ".join(words): said for words in alone + both if (said := found(f"experiment={experiment}", *words))
    } == {}


@pytest.mark.usefixtures("configs")
@pytest.mark.parametrize("group", ["model", "data"])
def test_no_model_and_no_data_is_blamed(group: str) -> None:
    assert {option: said for option in options(group) if (said := found(f"{group}={option}"))} == {}


def test_a_mistake_in_any_argument_is_found_and_what_was_meant_proposed() -> None:
    """As the benchmark measures it over all that is shipped, of one class that is ours and one that is not."""
    use_paths_of(CONFIGS.parent)
    context = config_errors.Context(["model=cifar_cnn", "scheduler=step"])
    for key, count in (("model", 15), ("scheduler", 10)):
        cases = list(config_errors.of_target(context, key, context.config[key], random.Random(0)))
        answers = [case.answer() for case in cases]
        assert len(cases) == count
        assert [case for case, answer in zip(cases, answers, strict=True) if answer is None] == []
        meant = [pair for pair in zip(cases, answers, strict=True) if pair[0].meant]
        assert [pair for pair in meant if not config_errors.is_proposed(*pair)] == []


@pytest.mark.usefixtures("configs")
@pytest.mark.parametrize(("words", "said"), [
    (["model.hidden_features=ten"], "model.hidden_features='ten' (on the command line): must be int"),
    (["expected={test/accuracy: [0, a]}"],
     "expected={test/accuracy: [0, 'a']} (on the command line): must be mapping of str to list of 2 float or null"),
    (["trainer.precision=fp16"],
     "trainer.precision='fp16' (on the command line): must be one of 64, 32, 16, 'transformer-engine', "
     "'transformer-engine-float16', '16-true', '16-mixed', 'bf16-true', 'bf16-mixed', '32-true', '64-true', '64', "
     "'32', '16', 'bf16' or null, did you mean 16-mixed?"),
    (["trainer.accelerator=gpuu"],
     "trainer.accelerator=gpuu (on the command line): Lightning knows none of that name, did you mean gpu?"),
    (["+trainer.strategy=dpp"],
     "trainer.strategy=dpp (on the command line): Lightning knows none of that name, did you mean ddp?"),
    (["+optimizer._traget_=a"],
     "optimizer._traget_ (on the command line): torch.optim.Adam has no such argument, did you mean _target_? (there "
     "are: params, lr, betas, eps, weight_decay, amsgrad, foreach, maximize, capturable, differentiable, fused, "
     "decoupled_weight_decay)"),
    (["+callbacks.mine._traget_=a"],
     "callbacks.mine._traget_ (on the command line): is no key of Hydra's, did you mean _target_?"),
    (["guard=no"], "guard='no' (on the command line): must be one of 'on', 'off' or bool, did you mean off?"),
    (["name=null"], "name=null (on the command line): must be str or int"),
    (["model._target_=lab.data.XORDataModule"],
     "model._target_=lab.data.XORDataModule (on the command line): is no LightningModule"),
    (["model.hidden_features='10'"], "model.hidden_features='10' (on the command line): must be int"),
    (["model.hidden_features=null"], "model.hidden_features=null (on the command line): must be int"),
    (["model.hidden_features=???"], "model.hidden_features=??? (on the command line): must be given: int"),
    (["+model.hiden_features=4"],
     "model.hiden_features (on the command line): lab.models.SimpleNet has no such argument, did you mean "
     "hidden_features? (there are: hidden_features, hidden_activation)"),
    (["optimizer=sgd", "optimizer.nesterov=1"], "optimizer.nesterov=1 (on the command line): must be bool"),
    (["+optimizer.betas=[0.9]"], "optimizer.betas=[0.9] (on the command line): must be list of 2 float"),
    (["experiment=sine", "scheduler=cosine", "scheduler.warmup=[1]"],
     "scheduler.warmup=[1] (on the command line): must be float"),
    (["experiment=cifar10_fast", "scheduler=step"],
     f"scheduler.warmup (configs/{line_of('experiment/cifar10_fast.yaml', '  warmup: ')}): "
     "torch.optim.lr_scheduler.StepLR has no such argument (there are: optimizer, step_size, gamma, last_epoch)"),
    (["experiment=sine_linear", "optimizer._target_=leyden.training.schedulers.linear", "~optimizer.momentum",
      "~optimizer.nesterov", "~optimizer.lr"],
     "optimizer.weight_decay (configs/optimizer/sgd.yaml:6): leyden.training.schedulers.linear has no such argument "
     "(there are: optimizer, total_steps, warmup)"),
    (["scheduler=step", "~scheduler.step_size"],
     "scheduler.step_size (configs/scheduler/step.yaml:1): is missing: torch.optim.lr_scheduler.StepLR needs int"),
    (["optimizer._partial_=false"],
     "optimizer (configs/optimizer/adam.yaml:1): needs _partial_: true, as torch.optim.Adam is given params when "
     "training begins"),
    (["trainer.devices=1.5"], "trainer.devices=1.5 (on the command line): must be list of int or str or int"),
    (["+trainer.max_epoch=3"],
     "trainer.max_epoch (on the command line): lightning.pytorch.Trainer has no such argument, did you mean "
     "max_epochs?"),
    (["debug=profiler", "trainer.profiler.filename=3"],
     "trainer.profiler.filename=3 (on the command line): must be str or null"),
    (["+trainer.profiler={_target_: torch.nn.ReLU}"],
     "trainer.profiler=ReLU (on the command line): must be str or null"),
    (["monitor.mode=3"], "monitor.mode=3 (on the command line): must be one of 'min', 'max'"),
    (["+trainer.logger=false"], "trainer.logger=false (on the command line): nothing reads it: logger says that"),
    (["+callbacks.mine={size: 1}"],
     "callbacks.mine (on the command line): has no _target_ that says what to build"),
    (["+callbacks.mine={_target_: own_classes.Watch}"],
     "callbacks.mine.size (on the command line): is missing: own_classes.Watch needs int"),
    (["+callbacks.mine={_target_: own_classes.Watch, size: 1, mode: mx}"],
     "callbacks.mine.mode='mx' (on the command line): must be one of 'min', 'max', did you mean max?"),
    (["+callbacks.mine={_target_: own_classes.Watch, size: 1, sizes: [1, a]}"],
     "callbacks.mine.sizes=[1, 'a'] (on the command line): must be list of int"),
    (["+callbacks.mine={_target_: own_classes.Watch, _args_: [1], thing: {a: [1]}, sizes: [2]}"], None),
    (["+callbacks.mine={_target_: own_classes.Open, path: a, whatever: 1}"], None),
    (["+callbacks.mine={_target_: own_classes.Watsh, size: 1}"],
     "callbacks.mine._target_=own_classes.Watsh (on the command line): cannot be found, did you mean "
     "own_classes.Watch?"),
    (["model._target_=lab.model.simplenet.SimpleNet"],
     "model._target_=lab.model.simplenet.SimpleNet (on the command line): cannot be found, did you mean "
     "lab.models.simple_net.SimpleNet?"),
    (["model._target_=lb.models.SimpleNet"],
     "model._target_=lb.models.SimpleNet (on the command line): lb.models.SimpleNet is in none of the packages that "
     "are allowed, did you mean lab.models.SimpleNet? (leyden, lightning, torch, torchmetrics, torchvision, lab, "
     "own_classes, fails); targets in configs/train.yaml adds one"),
    (["model._target_=fails.Net"],
     "model._target_=fails.Net (on the command line): cannot be found (division by zero)"),
    (["data.batch_size=[1]"], "data.batch_size=[1] (on the command line): must be int"),
    (["data.seed=x"], "data.seed='x' (on the command line): must be int"),
])  # fmt: skip
def test_what_is_said_of_one_mistake(words: list[str], said: str | None) -> None:
    assert found(*words) == ([] if said is None else [said])


def test_all_mistakes_are_said_at_once_and_nothing_is_left_behind(tmp_path: Path) -> None:
    words = "experiment=xor", "+optimizer.eps=fast", "model.hidden_features=4.5", "+trainer.max_epoch=1"
    completed = called("train", *words, f"paths.log_dir={tmp_path}/logs")
    assert completed.returncode == 1
    assert completed.stderr == (
        "error: model.hidden_features=4.5 (on the command line): must be int\n"
        "error: optimizer.eps='fast' (on the command line): must be float\n"
        "error: trainer.max_epoch (on the command line): lightning.pytorch.Trainer has no such argument, did you mean "
        "max_epochs?\n"
    )
    assert list((tmp_path / "logs").rglob("*")) == []


def test_a_run_that_goes_on_is_held_against_them_too(xor_run: tuple[Path, object]) -> None:
    run = xor_run[0]
    files = run / "config.yaml", run / ".hydra" / "config.yaml"
    before = [file.read_text() for file in files]
    (line,) = [number for number, text in enumerate(before[0].splitlines(), 1) if text.startswith("  hidden_features")]
    for file, text in zip(files, before, strict=True):
        file.write_text(re.sub("hidden_features: .*", "hidden_features: many", text))
    completed = called("train", f"resume={run}", "trainer.max_epochs=1001", "optimizer.lr=x")
    for file, text in zip(files, before, strict=True):
        file.write_text(text)
    assert completed.stderr == (
        f"error: model.hidden_features='many' ({run}/config.yaml:{line}): must be int\n"
        "error: optimizer.lr='x' (on the command line): must be float\n"
    )


@pytest.mark.usefixtures("configs")
def test_a_package_that_is_not_there_is_told_and_not_what_it_should_have_held() -> None:
    config = compose("train", overrides=["targets=[labb]", "paths.run_dir=here"])
    said = [str(problem) for problem in problems(config, Origin(["targets=[labb]"], [CONFIGS]))]
    assert said == ["targets (on the command line): there is no package labb, did you mean lab?"]


@pytest.mark.usefixtures("configs")
@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("optimizer._target_=SGD", "torch.optim.SGD"),
        ("optimizer._target_=Muon", "torch.optim.Muon"),
        ("scheduler._target_=StepLR", "torch.optim.lr_scheduler.StepLR"),
        ("model._target_=SimpleNet", "lab.models.SimpleNet"),
        ("model._target_=src.lab.models.SimpleNet", "lab.models.SimpleNet"),
        ("+callbacks.x._target_=EarlyStopping", "lightning.pytorch.callbacks.EarlyStopping"),
        ("+callbacks.x._target_=pytorch_lightning.callbacks.Timer", "lightning.pytorch.callbacks.Timer"),
        ("+callbacks.x._target_=pl.callbacks.Timer", "lightning.pytorch.callbacks.Timer"),
        ("model._target_=lob.models.SimpleNet", "lab.models.SimpleNet"),
    ],
)
def test_a_class_is_found_where_it_is_meant_to_be(word: str, meant: str) -> None:
    words = ["scheduler=step", word.replace("+", "++")]
    config = compose("train", overrides=[*words, "paths.run_dir=here"])
    key, name = word.lstrip("+").split("=")
    said = [str(problem) for problem in problems(config, Origin(words, [CONFIGS])) if problem.key == key]
    assert [line.partition("; ")[0] for line in said] == [
        f"{key}={name} (on the command line): {name} is in none of the packages that are allowed, did you mean "
        f"{meant}? (leyden, lightning, torch, torchmetrics, torchvision, lab)"
    ]
