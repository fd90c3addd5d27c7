"""How mistakes in the words of a command are answered.

    python scripts/benchmarks/errors.py                    # half an hour, most of it the random lists

Every key, option and group of configs/ with a letter dropped, swapped, doubled or replaced, keys in the wrong group and
with a value of the wrong kind, and commands as people have typed them: how many are found before anything runs, and
whether the name that was meant is the first that is proposed, or among the first three. Then the commands of README and
docs/, and every shipped config, of which none may be called wrong; what a wrong command costs, over `import lightning`;
and random words, which must end in a config or in one line, with nothing left behind.

What is wrong with what a config says, whatever it was composed of, is measured by config_errors.py, and told here, too.
"""

import argparse
import io
import os
import random
import re
import shlex
import signal
import string
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import Any

import config_errors
from figures import PROJECT, Figure, command_seconds, in_turn, ratios, tell
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from leyden.cli import main as leyden
from leyden.config.app import use_paths_of
from leyden.config.mistakes import WordsError, in_shell
from leyden.config.origin import Origin
from leyden.config.signatures import problems
from leyden.config.spelling import flags_apart
from leyden.config.values import full_keys
from leyden.config.words import all_wrong
from leyden.sweeps.jobs import as_hydra_spells

CONFIGS = PROJECT / "configs"
ELSEWHERE = ("model", "data", "optimizer", "trainer")
HYDRAS_TEXTS = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir")  # which take no null
# As typed by users of lightning-hydra-template, of Hydra and of Lightning's own command line; and what they meant.
TYPED = """
lr=0.1 | optimizer.lr=0.1
learning_rate=0.1 | optimizer.lr=0.1
model.lr=0.1 | optimizer.lr=0.1
model.learning_rate=0.1 | optimizer.lr=0.1
trainer.lr=0.1 | optimizer.lr=0.1
optim.lr=0.1 | optimizer.lr=0.1
optimizer.learning_rate=0.1 | optimizer.lr=0.1
epochs=5 | trainer.max_epochs=5
max_epochs=5 | trainer.max_epochs=5
num_epochs=5 | trainer.max_epochs=5
trainer.epochs=5 | trainer.max_epochs=5
trainer.max_epoch=5 | trainer.max_epochs=5
trainer.maxepochs=5 | trainer.max_epochs=5
training.max_epochs=5 | trainer.max_epochs=5
batch_size=4 | data.batch_size=4
data.batchsize=4 | data.batch_size=4
data.bs=4 | data.batch_size=4
datamodule.batch_size=4 | data.batch_size=4
gpus=1 | trainer.devices=1
trainer.gpus=1 | trainer.devices=1
trainer.num_gpus=2 | trainer.devices=2
devices=2 | trainer.devices=2
accelerator=gpu | trainer.accelerator=gpu
precision=16 | trainer.precision=16
exp=xor | experiment=xor
experiments=xor | experiment=xor
datamodule=xor | data=xor
dataset=cifar10 | data=cifar10
net=simple_net | model=simple_net
optim=sgd | optimizer=sgd
lr_scheduler=cosine | scheduler=cosine
loggers=csv | logger=csv
callback=early_stopping | callbacks=early_stopping
model=SimpleNet | model=simple_net
model=simplenet | model=simple_net
model=simple-net | model=simple_net
optimizer=Adam | optimizer=adam
optimizer=AdamW | optimizer=adamw
logger=tensorbord | logger=tensorboard
trainer=dpp_cpu | trainer=ddp_cpu
debug=fastdevrun | debug=fast_dev_run
debug=fast-dev-run | debug=fast_dev_run
hydra.launcher=local | hydra/launcher=local
hydra/launchers=local | hydra/launcher=local
+experimnt=xor | experiment=xor
+optimizer.lr=0.1 | optimizer.lr=0.1
+experiment=xor | experiment=xor
+trainer=gpu | trainer=gpu
trainer.limit_train_batches=10 | +trainer.limit_train_batches=10
trainer.fast_dev_run=true | +trainer.fast_dev_run=true
trainer.val_check_interval=0.5 | +trainer.val_check_interval=0.5
seed=1,2,3 | -m seed=1,2,3
optimizer.lr=0.1,0.01 | -m optimizer.lr=0.1,0.01
experiment=xor,sine | -m experiment=xor,sine
'seed=range(3)' | -m 'seed=range(3)'
'optimizer.lr=choice(0.1,0.2)' | -m 'optimizer.lr=choice(0.1,0.2)'
experiment=sine model.hidden_sizes=20,20 | experiment=sine model.hidden_sizes=[20,20]
experiment=sine model.hidden_sizes=20 | experiment=sine model.hidden_sizes=[20]
experiment=sine model.hidden_sizes=[20, 20] | experiment=sine model.hidden_sizes=[20,20]
experiment=sine model.hidden_sizes=[20,20 | experiment=sine model.hidden_sizes=[20,20]
optimizer.lr = 0.1 | optimizer.lr=0.1
optimizer.lr =0.1 | optimizer.lr=0.1
optimizer.lr= 0.1 | optimizer.lr=0.1
optimizer.lr:0.1 | optimizer.lr=0.1
optimizer.lr: 0.1 | optimizer.lr=0.1
optimizer.lr==0.1 | optimizer.lr=0.1
--optimizer.lr=0.1 | optimizer.lr=0.1
--optimizer.lr 0.1 | optimizer.lr=0.1
--experiment=xor | experiment=xor
--experiment xor | experiment=xor
--lr 0.1 | optimizer.lr=0.1
-experiment=xor | experiment=xor
experiment xor | experiment=xor
experiment/xor | experiment=xor
xor | experiment=xor
optimizer/lr=0.1 | optimizer.lr=0.1
--multi-run seed=1,2 | -m seed=1,2
\N{EN DASH}m seed=1,2 | -m seed=1,2
name=a=b | "name='a=b'"
"name='a" | "name='a'"
"name=it's" | 'name="it'"'"'s"'
compile=yes | compile=true
compile=ture | compile=true
modle=simple_net optimizer.lrr=0.1 | model=simple_net optimizer.lr=0.1
'optimizer.lr=interval(1e-4,1e-1,log)' | -m 'optimizer.lr=interval(1e-4,1e-1,log)'
strict=off | strict=false
seed=12a | seed=12
experiment=null | '~experiment'
'~optimizr' | '~optimizer'
checkpoint=logs/xor/best.ckpt | | must be one of its keys
ckpt_path=x.ckpt | | no such group or key
trainer.max_epochs=ten | | must be a number
optimizer.lr=small | | must be a number
seed=true | | must be a number
monitor=val/loss | | monitor.metric
hydra.sweep.dirr=x | hydra.sweep.dir=x
hydra.job.chdirr=true | hydra.job.chdir=true
+hydra.run.dirr=x | hydra.run.dir=x
hydra.mode=MULTRUN | | must be one of RUN, MULTIRUN
experiment=sine --cfg jobb | experiment=sine --cfg job
-m experiment=xor,sinee | -m experiment=xor,sine
-m experiment=xorr seed=1,2 | -m experiment=xor seed=1,2
-m experiment=xor optimizer.lrr=0.1,0.01 | -m experiment=xor optimizer.lr=0.1,0.01
-m +seed=1,2 | -m seed=1,2
-m 'seed=rnage(3)' | -m 'seed=range(3)'
-m sweep=optuna 'optimizer.lr=intervall(1,2)' | -m sweep=optuna 'optimizer.lr=interval(1,2)'
-m 'seed=range(a)' | | is written range(start,stop,step)
seed=1, | seed=1
seed=1, 2 | -m seed=1,2
experiment=xor, | experiment=xor
experiment=sine model.hidden_sizes=[1,2,] | experiment=sine model.hidden_sizes=[1,2]
'model=simple_net optimizer=sgd' | model=simple_net optimizer=sgd
'seed=3 name=x' | seed=3 name=x
'trainer.max_epochs=3 # c' | trainer.max_epochs=3
'expected={test/loss: 0,1}' | | is no list or mapping
optimizer.lr={seed} | optimizer.lr=${seed}
optimizer.lr=$seed | optimizer.lr=${seed}
optimizer.lr=${seeed} | optimizer.lr=${seed}
name=${oc.env:HOMEE} | name=${oc.env:HOME}
seed=${seed} | | refers to itself
~seed | | data.seed refers to it
~monitor | | refers to it
'model={hiden_features: 3}' | 'model={hidden_features: 3}'
'trainer={max_epoch: 3}' | 'trainer={max_epochs: 3}'
'monitor={metrik: a}' | 'monitor={metric: a}'
'hydra.run={dirr: 3}' | 'hydra.run={dir: 3}'
'model={hidden_features: x}' | | model.hidden_features=x: must be a number
'+trainer.max_epochs={a: 1}' | | must be a number
+hydra.foo.bar=3 | | Hydra reads no such key
+hydra.runn.dir=x | hydra.run.dir=x
hydra.launcher.foo=3 | | Hydra reads no such key
hydra.job.env_set.A=1 | +hydra.job.env_set.A=1
trainer.devices=gpu | | must be a number, auto, or a list such as [0,1]
'experiment=glob(*)' | -m 'experiment=glob(*)'
~optimizer=sgd | ~optimizer
~optimizer.lr=5 | ~optimizer.lr
hydra.run.dir=null | | must be a text
/model=simple_net | model=simple_net
model/=simple_net | model=simple_net
model..hidden_features=3 | model.hidden_features=3
seed.=1 | seed=1
~~model | ~model
-- seed=3 | seed=3
'seed=3 ' | seed=3
"seed='3" | seed=3
--resolve seed=1 | --cfg job --resolve seed=1
--cfg job --info | --cfg job
-m seed=1,2 --cfg job | | leave -m out
"""


@dataclass(frozen=True)
class Case:
    """A wrong command, and the name that was meant or the whole command; or what must be `said`, where nothing can be
    meant. With neither, only that it is found is asked.
    """

    kind: str
    words: list[str]
    meant: str | None
    said: str = ""


def mutated(name: str, generator: random.Random) -> dict[str, str]:
    """One slip of each kind, at any letter."""
    letters = [i for i, letter in enumerate(name) if letter.isalnum()]
    at, before = generator.choice(letters), generator.randrange(len(name) - 1)
    other = generator.choice([letter for letter in string.ascii_lowercase if letter != name[at]])
    return {
        "drop": name[:at] + name[at + 1 :],
        "swap": name[:before] + name[before + 1] + name[before] + name[before + 2 :],
        "double": name[:at] + name[at] + name[at:],
        "replace": name[:at] + other + name[at + 1 :],
    }


def groups() -> dict[str, list[str]]:
    """The options of each, by its name."""
    folders = {str(file.parent.relative_to(CONFIGS)) for file in CONFIGS.rglob("*.yaml")} - {
        ".",
        "hydra",
        "hydra/sweeper",
    }
    return {name: sorted(file.stem for file in (CONFIGS / name).glob("*.yaml")) for name in sorted(folders)}


def composed(*words: str) -> Any:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("train", overrides=list(words), return_hydra_config=True)
    return OmegaConf.to_container(config)


def documented_keys() -> Iterator[tuple[str, list[str], Any]]:
    """Every key that a file of configs/ sets, words with which it is there, and its value."""
    found = set()
    contexts = [[f"{group}={option}"] for group, options in groups().items() for option in options]
    for words in [[], *contexts]:
        config = composed(*words)
        hydras = config.pop("hydra")
        launcher = {"hydra": {"launcher": hydras["launcher"], "run": hydras["run"], "sweep": hydras["sweep"]}}
        for values in (config, launcher):
            for key in full_keys(values):
                typeable = "/" not in key  # expected.test/loss is none that Hydra's grammar reads
                if typeable and key not in found and not key.split(".")[-1].startswith("_"):
                    found.add(key)
                    yield key, words, value_at(values, key)


def value_at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def cases(generator: random.Random) -> Iterator[Case]:
    keys = list(documented_keys())
    names = {key for key, _, _ in keys} | set(groups())
    for key, words, value in keys:
        text = value if isinstance(value, int | float) else "x" if key in HYDRAS_TEXTS else "null"
        for kind, slip in mutated(key, generator).items():
            if slip not in names:
                yield Case(f"a letter of a key: {kind}", [*words, f"{slip}={text}"], key)
        yield from wrong_kinds(key, words, value)
        where, _, last = key.rpartition(".")
        if where in ELSEWHERE and [name.rpartition(".")[2] for name in names].count(last) == 1:
            for group in ELSEWHERE:
                if group != where:
                    yield Case("a key in the wrong group", [*words, f"{group}.{last}={text}"], key)
    for group, options in groups().items():
        for kind, slip in mutated(group, generator).items():
            if slip not in names and "/" not in (slip[0], slip[-1]):
                yield Case(f"a letter of a group: {kind}", [f"{slip}={options[0]}"], group)
        for option in options:
            for kind, slip in mutated(option, generator).items():
                if slip not in options:
                    yield Case(f"a letter of an option: {kind}", [f"{group}={slip}"], option)


def wrong_kinds(key: str, words: list[str], value: Any) -> Iterator[Case]:
    if key == "trainer.devices" or value is None:
        return
    if isinstance(value, int | float):
        yield Case("a value of another kind", [*words, f"{key}=word"], None)
        yield Case("a value of another kind", [*words, f"{key}=[1]"], None)
    elif isinstance(value, list):
        yield Case("a value of another kind", [*words, f"{key}=1"], None)
    elif isinstance(value, str) and "${" not in value:
        yield Case("a value of another kind", [*words, f"{key}=[1]"], None)


def typed() -> Iterator[Case]:
    for line in filter(None, TYPED.splitlines()):
        command, meant, *said = (part.strip() for part in line.split(" |"))
        yield Case("as typed by others", shlex.split(command), meant or None, *said)


def rank(case: Case, wrong: WordsError | None) -> int | None:
    """Where the name that was meant stands in the answer, from 0 on; -1: not at all; None: the mistake is not found."""
    if wrong is None:
        return None
    corrected = wrong.corrected(case.words)
    if case.meant is None or corrected == shlex.split(case.meant):
        return 0 if case.said in str(wrong) else -1
    proposed = re.findall(r"did you mean (.*?)\?", str(wrong))
    names = re.split(r", | or ", proposed[0]) if proposed else []
    names = [name.replace("/", ".") for name in names]  # hydra.launcher and hydra/launcher
    meant = case.meant.replace("/", ".")
    return names.index(meant) if meant in names else -1


def withheld(words: Sequence[str], wrong: WordsError | None) -> bool:
    """Whether the command that would be proposed is wrong itself."""
    corrected = wrong.corrected(words) if wrong else None
    return bool(corrected) and all_wrong(list(map(as_hydra_spells, corrected or ())), CONFIGS) is not None


def documentation() -> str:
    """README and the pages of docs/ that are written by hand."""
    pages = (PROJECT / "docs").rglob("*.md")
    written = [page for page in sorted(pages) if page.parent.name != "reference"]
    return "".join(page.read_text() for page in [PROJECT / "README.md", *written])


def right_commands() -> Iterator[list[str]]:
    """What README, docs/ and --help say one can type, and every shipped config."""
    pages = documentation().replace("\\\n", " ") + (CONFIGS / "hydra" / "default.yaml").read_text()
    pages = re.sub(r"\$ .*\nerror: ", "", pages)  # what is shown as wrong
    theirs = {f"{group}={option}" for group, option in re.findall(r"^# configs/(\w+)/(\w+)\.yaml", pages, re.MULTILINE)}
    for line in re.findall(
        r"(?:^|[$ `])(?:python train\.py|leyden train|train_ddp\S*|ddp\.sh) ([^`\n]*)", pages, re.MULTILINE
    ):
        words = [as_hydra_spells(word) for word in shlex.split(line.partition(" shows ")[0], comments=True)]
        resumed = {"resume", "rerun", "sweep.resume"} & {word.partition("=")[0] for word in words}
        if (
            theirs.isdisjoint(words)
            and not resumed
            and not any(re.search(r"\.\.\.|\[GROUP|^[A-Z]+$|=[A-Z]+$", word) for word in words)
        ):
            yield words
    for group, options in groups().items():
        yield from ([f"{group}={option}"] for option in options)
    for experiment in groups()["experiment"]:
        for group in ("trainer", "debug", "callbacks", "logger"):
            yield from ([f"experiment={experiment}", f"{group}={option}"] for option in groups()[group])


def right_overrides() -> Iterator[str]:
    """Those that README and docs/ name within a sentence."""
    for text in re.findall(r"`([^`\n]+)`", documentation()):
        for word in shlex.split(text) if text.count("'") % 2 == 0 else []:
            name = word.lstrip("+").partition("=")[0]
            known = "." in name or (CONFIGS / name).is_dir() or name in composed()
            placeholder = (
                not known
                or word == "group.key=value"
                or re.search(
                    r"=\.\.\.|=.*\b[A-Z]{1,}\b|^(resume|rerun|join|split|checkpoint|sort|input|output|format)=", word
                )
            )
            if re.match(r"\+?[a-z_]+([./][a-z_]+)*=[^=]", word) and not placeholder:
                yield word


def is_blamed(words: Sequence[str]) -> bool:
    """Whether anything is said of the words, or of what they compose, sweeps apart."""
    if all_wrong(words, CONFIGS):
        return True
    parsed = OverridesParser.create().parse_overrides(flags_apart(words)[0])
    plain = [str(each.input_line) for each in parsed if not each.is_sweep_override()]
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("train", overrides=[*plain, "paths.run_dir=here"])
    return bool(problems(config, Origin(plain, [CONFIGS])))


def false_alarms() -> list[str]:
    found = [in_shell(words) for words in right_commands() if is_blamed(words)]
    contexts = [[], ["experiment=sine"], ["experiment=cifar10"], ["experiment=cifar10_fast"], ["sweep=optuna"]]
    contexts += [["trainer=ddp"], ["debug=profiler"], *([f"logger={option}"] for option in groups()["logger"])]
    launchers = [[f"hydra/launcher={option}"] for option in groups()["hydra/launcher"]]
    for word in dict.fromkeys(right_overrides()):
        several = ["-m"] if re.search(r"=[^\[]*,|range\(|interval\(|choice\(", word) else []
        if all(is_blamed([*several, *context, word]) for context in [*contexts, *launchers]):
            found.append(word)
    return found


def vocabulary() -> tuple[list[str], list[str]]:
    """Keys and groups, and options."""
    pages = [composed(), composed("experiment=cifar10", "hydra/launcher=slurm")]
    keys = [key for page in pages for key in full_keys(page) if not key.startswith("hydra.") or "launcher" in key]
    hydras = ["hydra.job.chdir", "hydra.verbose", "hydra.mode", "hydra.run.dir", "hydra.job.env_set", "hydra.job.num"]
    options = [option for options in groups().values() for option in options]
    return [*dict.fromkeys(keys), *groups(), *hydras, "resume", "rerun", "model.hidden_sizes"], options


def random_words(generator: random.Random, names: Sequence[str], options: Sequence[str]) -> list[str]:
    """Between right and nonsense."""
    letters = string.ascii_letters + string.digits + "=+~-.,/@:[]{}()'\"$\\ *#éß“\N{EN DASH}"
    values = [
        *options,
        "1",
        "0.1",
        "-3",
        "null",
        "true",
        "[1,2]",
        "{a: 1}",
        "a,b",
        "${seed}",
        "range(3)",
        "",
        "???",
        "1e-3",
    ]

    def noise() -> str:
        return "".join(generator.choices(letters, k=generator.randrange(12)))

    def name() -> str:
        given = generator.choice(names)
        return given if generator.random() < 0.5 else generator.choice(list(mutated(given, generator).values()))

    def word() -> str:
        kind = generator.random()
        if kind < 0.15:
            return noise()
        if kind < 0.2:
            return generator.choice(
                ["-m", "--multirun", "--cfg", "job", "--info", "-x", "--help", "--resolve", "=", "--"]
            )
        value = generator.choice(values) if generator.random() < 0.8 else noise()
        return (
            generator.choice(["", "", "", "+", "++", "~", "--"])
            + name()
            + generator.choice(["=", "=", "=", "", ":", " = "])
            + value
        )

    return [word() for _ in range(generator.randrange(1, 5))]


class Hang(BaseException):
    """Nothing that the command line would answer in one line."""


def too_long(number: int, frame: object) -> None:
    raise Hang("no answer in 60 seconds")


def survives(words: Sequence[str]) -> str | None:
    """What went wrong where `words` are typed; None where they are answered. Nothing is trained."""
    sweep = {"-m", "--multirun"} & set(words) or "hydra.mode" in str(words)
    out, err, status = io.StringIO(), io.StringIO(), 0
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(60)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            if sweep:
                all_wrong(words, CONFIGS)
            else:
                leyden(["train", *words, "--cfg", "job"], PROJECT)
    except SystemExit as stop:
        status = int(stop.code or 0)
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    said = err.getvalue()
    if status and not re.fullmatch(r"(error: .*\n)+(try: .*\n)?", said):
        return said
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, default=10_000, help="lists of random words")
    parser.add_argument("--repetitions", type=int, default=5, help="of the measurement of time; 0: none")
    parser.add_argument("--only-random", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    use_paths_of(PROJECT)
    os.chdir(PROJECT)
    figures = [] if given.only_random else answered() + config_errors.figures() + costs(given.repetitions)
    figures += survived(given.random)
    tell(figures)
    raise SystemExit(any(figure.reached is False for figure in figures))


def answered() -> list[Figure]:
    corpus = [*cases(random.Random(0)), *typed()]
    answers = [all_wrong(case.words, CONFIGS) for case in corpus]
    ranks = [rank(case, wrong) for case, wrong in zip(corpus, answers, strict=True)]
    for case, found in zip(corpus, ranks, strict=True):
        if found != 0:
            how = {None: "NOT FOUND", -1: "not proposed"}.get(found, f"number {found} of those proposed")
            print(f"{case.kind}: {in_shell(case.words)}: {how}; meant: {case.meant}")
    named = [found for case, found in zip(corpus, ranks, strict=True) if case.meant is not None or case.said]
    unsaid = [case.words for case, wrong in zip(corpus, answers, strict=True) if withheld(case.words, wrong)]
    print(*(f"not proposed, because it is wrong itself: {in_shell(words)}" for words in unsaid), sep="\n")
    alarms = false_alarms()
    print(*(f"false alarm: {words}" for words in alarms), sep="\n")

    def share(name: str, values: Sequence[Any], holds: Callable[[Any], bool], target: float) -> Figure:
        percent = 100 * sum(map(holds, values)) / len(values)
        return Figure(f"{name}, of {len(values)}", [percent], target, "at least", " %")

    return [
        share("mistakes found before anything runs", ranks, lambda found: found is not None, 100),
        share("what was meant comes first", named, lambda found: found == 0, 95),
        share("what was meant is among the first three", named, lambda found: found in (0, 1, 2), 99),
        Figure("commands that are not proposed because they are wrong themselves", [len(unsaid)]),
        Figure(
            f"false alarms, of {len(list(right_commands()))} commands and the overrides of README and docs/",
            [len(alarms)],
            0,
        ),
    ]


def costs(repetitions: int) -> list[Figure]:
    if not repetitions:
        return []
    sample = random.Random(1).sample(list(cases(random.Random(0))), 8)
    commands = {in_shell(case.words): case.words for case in sample}
    found = in_turn(
        {
            "lightning": lambda: command_seconds("-c", "import lightning"),
            **{name: partial(command_seconds, "train.py", *words) for name, words in commands.items()},
        },
        repetitions,
    )
    seconds = [value for name in commands for value in found[name]]
    over = [ratio for name in commands for ratio in ratios(found[name], found["lightning"])]
    return [
        Figure("import lightning: CPU seconds", found["lightning"], unit=" s"),
        Figure("a wrong command: CPU seconds", seconds, unit=" s"),
        Figure("a wrong command, over import lightning", over, 0.15),
    ]


def survived(count: int) -> list[Figure]:
    generator = random.Random(0)
    names, options = vocabulary()
    before = set((PROJECT / "logs").rglob("*"))
    bad = []
    for number in range(count):
        if number % 500 == 0:
            print(f"{number} random lists", flush=True)
        words = random_words(generator, names, options)
        if said := survives(words):
            bad.append(words)
            print(f"random words: {words}: {said[-300:]}")
    left = set((PROJECT / "logs").rglob("*")) - before
    return [
        Figure(f"random words without an answer, of {count:,}", [len(bad)], 0),
        Figure("files and folders that they left", [len(left)], 0),
    ]


if __name__ == "__main__":
    main()
