"""How mistakes in what a config says are answered: what its classes do not take, what nothing reads, what does not fit.

    python scripts/benchmarks/config_errors.py             # under 2 minutes; errors.py measures this, too

Every argument of every class that configs/ name, with a value of another kind, misspelt, and left out where it is
needed; every `_target_` with a letter dropped; every key that the engine reads, misspelt, and arguments at the top of
the config: is the key blamed before anything is built, and what was meant proposed first? Then whole commands of parts
that do not fit one another: they must end in one line that says so, with nothing left behind. What a class of no hints,
or of hints that take anything, makes of a value is not in here.
"""

import io
import random
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from figures import PROJECT, Figure, tell
from hydra import compose, initialize_config_dir
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from safetensors.torch import save_file

from leyden.cli import main as leyden
from leyden.config.app import options_of, use_paths_of
from leyden.config.keys import BY_THE_ENGINE, FACTORIES
from leyden.config.origin import Origin
from leyden.config.signatures import BUILT, BUILT_EACH, GIVEN_LATER, OF_HYDRA, Arguments, problems

CONFIGS = PROJECT / "configs"
GROUPS = ("experiment", "model", "data", "optimizer", "scheduler", "trainer", "callbacks", "logger", "debug")
# A value, and what a hint that may take it has in it.
VALUES: Sequence[tuple[Any, str]] = (
    ("word", "str|Path|Literal|Any|~"),
    ([[None]], "list|List|tuple|Tuple|Sequence|Iterable|Any|~"),
    ({"a": 1}, "dict|Dict|Mapping|Any|~"),
)
OWN = """
import torch
from torch import nn
from leyden.training import Splits, SupervisedModule, TensorDataModule

class Points(TensorDataModule):
    def load(self):
        points, labels = torch.zeros(5, 3), torch.tensor([0, 1, 2, 3, 0])
        return Splits((points, labels), (points, labels), (points, labels))

class Net(SupervisedModule):
    def __init__(self, width: int = 3, classes: int = 4, norm: bool = False):
        super().__init__(nn.CrossEntropyLoss())
        self.save_hyperparameters()
        self.layers = nn.Sequential(
            nn.Linear(width, 4), nn.BatchNorm1d(4) if norm else nn.Identity(), nn.Linear(4, classes)
        )

    def forward(self, inputs):
        return self.layers(inputs)
"""
# Words over the shipped configs, and what must be in the answer.
UNFIT = """
experiment=xor monitor.metric=val/acc | did you mean val/accuracy?
experiment=xor monitor.metric=test/loss | logs no such metric in training
experiment=sine monitor.metric=val/accuracy | logs no such metric in training
experiment=cifar10 monitor.metric=acc | logs no such metric in training
callbacks=early_stopping +callbacks.early_stopping.check_finite=maybe | must be bool
data=noisy_sine | SimpleNet) and data (NoisySineDataModule) do not fit
data=cifar10 | SimpleNet) and data (CIFAR10DataModule) do not fit
model=mlp_regressor | MLPRegressor) and data (XORDataModule) do not fit
model=mlp_regressor data=cifar10 | MLPRegressor) and data (CIFAR10DataModule) do not fit
model=cifar_cnn | CifarCNN) and data (XORDataModule) do not fit
model=cifar_cnn data=noisy_sine | CifarCNN) and data (NoisySineDataModule) do not fit
experiment=cifar10 +model.classes=9 | labels go up to 9, and the model tells 9 classes apart
experiment=cifar10_fast trainer.precision=32-true +model.classes=5 | labels go up to 9
experiment=own +model.width=4 | Net) and data (Points) do not fit: inputs [N, 3]
experiment=own +model.classes=3 | labels go up to 3, and the model tells 3 classes apart
experiment=own +model.norm=true data.batch_size=1 | batch norm needs two
experiment=own +model.norm=true data.batch_size=4 | the last batch of 5 samples has one sample
experiment=xor scheduler=onecycle +scheduler.total_steps=7 | the training takes 40 steps
experiment=sine scheduler=onecycle +scheduler.total_steps=7 | scheduler.total_steps=7
experiment=own scheduler=onecycle +scheduler.total_steps=9 | the training takes 10 steps
trainer=gpu trainer.devices=64 | GPU
trainer=auto trainer.accelerator=tpu | torch finds no TPU
trainer.accelerator=mps | torch finds no GPU of Apple's
trainer=ddp trainer.devices=[63] | GPU
experiment=top | max_epoch=5 (configs/experiment/top.yaml:2): nothing reads it, did you mean trainer.max_epochs?
experiment=top | monitor.patience=3 (configs/experiment/top.yaml:3): nothing reads it
experiment=top | optimzer (configs/experiment/top.yaml:4): nothing reads it, did you mean optimizer?
experiment=top | model.hidden_features='ten' (configs/experiment/top.yaml:5): must be int
experiment=nodefaults | did you mean defaults?
experiment=xor optimizer.lr=-1 | Invalid learning rate
experiment=xor model.hidden_activation=tanhh | no activation is called 'tanhh'
experiment=xor data.batch_size=0 | batch_size must be at least 1
experiment=cifar10 model.views=mirrored | choose one of
experiment=xor monitor.mode=least | monitor.mode='least' (on the command line): must be one of
experiment=xor callbacks=no_checkpoints monitor.mode=least | monitor.mode='least' (on the command line): must be one of
+trainer.logger=false | trainer.logger=false (on the command line): nothing reads it
"""
FILES = {
    "own_parts.py": OWN,
    "configs/model/own.yaml": "_target_: own_parts.Net\n",
    "configs/data/own.yaml": "_target_: own_parts.Points\nbatch_size: 5\n",
    "configs/experiment/own.yaml": "# @package _global_\n"
    "defaults: [override /model: own, override /data: own]\ntargets: [lab, own_parts]\n",
    "configs/experiment/top.yaml": "# @package _global_\n"
    "max_epoch: 5\nmonitor: {patience: 3}\noptimzer: {lr: 0.1}\nmodel: {hidden_features: ten}\n",
    "configs/experiment/nodefaults.yaml": "# @package _global_\ndefault: [sine]\n",
}


@dataclass(frozen=True)
class Case:
    """`key` set to `value` in a config, or taken out of it; `meant` is the key that should be proposed for it."""

    kind: str
    config: "Context"
    key: str
    value: Any
    meant: str = ""

    def answer(self) -> str | None:
        """What is said of the key; None where nothing is."""
        config = deepcopy(self.config.config)
        OmegaConf.set_struct(config, False)
        if self.value is LEFT_OUT:
            holder, _, name = self.key.rpartition(".")
            del OmegaConf.select(config, holder)[name]
        else:
            OmegaConf.update(config, self.key, self.value, force_add=True)
        told = problems(config, self.config.origin)
        return next((str(each) for each in told if each.key == self.key or each.key.startswith(f"{self.key}[")), None)


LEFT_OUT = object()


class Context:
    """What `words` compose."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = [*words, "paths.run_dir=here"]
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            self.config = compose("train", overrides=self.words)
        self.origin = Origin(self.words, [CONFIGS])

    def made(self) -> Iterator[tuple[str, DictConfig]]:
        """Everything with a `_target_`, and its key."""
        for group in (*BUILT, *BUILT_EACH):
            yield from made_in(self.config.get(group), group)


def made_in(node: Any, key: str) -> Iterator[tuple[str, DictConfig]]:
    if isinstance(node, DictConfig):
        if "_target_" in node:
            yield key, node
        for name in node:
            yield from made_in(node[name], f"{key}.{name!s}")


def slip(name: str, generator: random.Random) -> str:
    """A letter dropped, doubled, or swapped with the next one."""
    at = generator.choice([at for at in range(len(name) - 1) if name[at] != name[at + 1]])
    return generator.choice(
        [
            name[:at] + name[at + 1 :],
            name[:at] + name[at] + name[at:],
            name[:at] + name[at + 1] + name[at] + name[at + 2 :],
        ]
    )


def wrong_value(hint: str) -> Any:
    """Something that what has such a hint does not take; None where that is not known."""
    return next((value for value, takers in VALUES if not re.search(takers, hint)), None)


def cases(generator: random.Random) -> Iterator[Case]:
    seen: set[tuple[str, str]] = set()
    contexts = [Context([f"{group}={option}"]) for group in GROUPS for option in options_of(CONFIGS, group)]
    for context in contexts:
        for key, node in context.made():
            if (key, node._target_) not in seen:
                seen.add((key, node._target_))
                yield from of_target(context, key, node, generator)
    context = Context(["sweep=optuna"])
    for key in BY_THE_ENGINE:
        where, _, last = key.rpartition(".")
        wrong = slip(last, generator)
        yield Case("a key of the engine's, misspelt", context, f"{where}.{wrong}".strip("."), 1, key)
    arguments = [f"trainer.{name}" for name in context.config.trainer if name not in OF_HYDRA]
    for key in (*arguments, "optimizer.lr", "data.batch_size", "model.hidden_features"):
        yield Case("an argument at the top of the config", context, key.rpartition(".")[2], 1, key)
    for key in arguments:
        yield Case("an argument at the top, misspelt", context, slip(key.rpartition(".")[2], generator), 1, key)


def of_target(context: Context, key: str, node: DictConfig, generator: random.Random) -> Iterator[Case]:
    """Mistakes in the call of one class."""
    name = str(node._target_)
    places = [i for i, letter in enumerate(name) if letter.isalnum()]
    for at in generator.sample(places, 3):
        yield Case("a letter of a _target_, dropped", context, f"{key}._target_", name[:at] + name[at + 1 :], name)
    arguments = Arguments.of(get_object(name))
    if arguments is None:
        return
    later = [arguments.in_order[0], *GIVEN_LATER] if key in FACTORIES else []
    for each in arguments.named:
        if each in later:
            continue
        hint = str(arguments.hint(each))
        if (value := wrong_value(hint)) is not None:
            yield Case("a value of another kind", context, f"{key}.{each}", value)
        if not arguments.any_name and (wrong := slip(each, generator)) not in arguments.named:
            yield Case("an argument, misspelt", context, f"{key}.{wrong}", 1, f"{key}.{each}")
        if each in arguments.needed and each in node:
            yield Case("an argument, left out", context, f"{key}.{each}", LEFT_OUT)


def is_proposed(case: Case, answer: str) -> bool:
    """Whether what was meant comes first."""
    proposed = re.search(r"did you mean (.*?)(,| or |\?)", answer)
    names = (case.meant, case.meant.rpartition(".")[2])
    return proposed is not None and (proposed[1] in names or same_class(proposed[1], case.meant))


def same_class(one: str, other: str) -> bool:
    """Of one that is found in two places either may be named."""
    try:
        return get_object(one) is get_object(other)
    except Exception:
        return False


def in_arguments() -> list[Figure]:
    corpus = list(cases(random.Random(0)))
    answers = [case.answer() for case in corpus]
    for case, answer in zip(corpus, answers, strict=True):
        if answer is None or (case.meant and not is_proposed(case, answer)):
            what = "left out" if case.value is LEFT_OUT else f"={case.value}"
            print(f"{case.kind}: {case.config.words[0]} {case.key}{what}: {answer or 'NOT FOUND'}")
    kinds = dict.fromkeys(case.kind for case in corpus)
    print(*(f"{sum(case.kind == kind for case in corpus):5} {kind}" for kind in kinds), sep="\n")
    first = [is_proposed(case, answer or "") for case, answer in zip(corpus, answers, strict=True) if case.meant]
    found = [answer is not None for answer in answers]
    return [
        Figure(
            f"mistakes in arguments and keys found, of {len(found)}",
            [100 * sum(found) / len(found)],
            100,
            "at least",
            " %",
        ),
        Figure(
            f"what was meant in them comes first, of {len(first)}",
            [100 * sum(first) / len(first)],
            95,
            "at least",
            " %",
        ),
    ]


def in_agreement() -> list[Figure]:
    """What does not fit together, as whole commands in a copy of the project."""
    commands = [line.partition(" | ")[::2] for line in UNFIT.strip().splitlines()]
    with tempfile.TemporaryDirectory() as name:
        project = a_project(Path(name))
        sys.path.append(name)
        missed = [words for words, meant in commands if not is_refused(words.split(), meant, project)]
    found = 100 * (1 - len(missed) / len(commands))
    return [Figure(f"parts that do not fit found, of {len(commands)} commands", [found], 100, "at least", " %")]


def a_project(folder: Path) -> Path:
    shutil.copytree(CONFIGS, folder / "configs")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / "data").mkdir()
    images = torch.randint(0, 256, (2040, 3, 32, 32), dtype=torch.uint8)
    labels = torch.arange(2040) % 10
    parts = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    save_file({each: tensor.clone() for each, tensor in parts.items()}, folder / "data" / "cifar10.safetensors")
    return folder


def is_refused(words: Sequence[str], meant: str, project: Path) -> bool:
    """Whether the training ends in one line that has what was `meant` in it, before it begins."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), suppress(SystemExit):
        leyden(["train", *words, "trainer.max_epochs=10", f"paths.data_dir={project}/data"], project)
    left = [path for path in (project / "logs").rglob("*") if path.is_file()]
    shutil.rmtree(project / "logs", ignore_errors=True)
    said = err.getvalue()
    refused = re.fullmatch("(error: .*\n)+", said) and meant in said and not left
    if not refused:
        print(f"{' '.join(words)}: {said[-300:] or 'NOT FOUND'}{' and left files' if left else ''}")
    return bool(refused)


def figures() -> list[Figure]:
    use_paths_of(PROJECT)
    return in_arguments() + in_agreement()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    found = figures()
    tell(found)
    raise SystemExit(any(figure.reached is False for figure in found))
