"""What is answered where the words of a command are wrong: the whole line, or the part that decides."""

import random
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import CONFIGS, PROJECT
from errors import cases, random_words, survives, vocabulary
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from leyden.config.app import use_paths_of
from leyden.config.mistakes import WordsError
from leyden.config.words import all_wrong, checked_loader
from leyden.sweeps.jobs import as_hydra_spells

NEW = "(a key that is meant to be new takes a plus sign: +{}=...)"
# What is typed: what is said, and the words to paste; "" where none are.
ANSWERS = {
    "optimizer.lrr=1": (
        f"optimizer.lrr: no such group or key, did you mean optimizer.lr? {NEW.format('optimizer.lrr')}",
        "optimizer.lr=1",
    ),
    "model.lr=1": (
        f"model.lr: no such group or key, did you mean optimizer.lr? {NEW.format('model.lr')}",
        "optimizer.lr=1",
    ),
    "exp=xor": (f"exp: no such group or key, did you mean experiment? {NEW.format('exp')}", "experiment=xor"),
    "epochs=5": (
        f"epochs: no such group or key, did you mean trainer.max_epochs? {NEW.format('epochs')}",
        "trainer.max_epochs=5",
    ),
    "experiment=sin_raw": (
        "experiment=sin_raw: no such option, did you mean sine_raw? (there are: cifar10, cifar10_fast, sine, "
        "sine_linear, sine_raw, xor, xor_linear)",
        "experiment=sine_raw",
    ),
    "callbacks=[early_stoping,lr_monitor]": (
        "callbacks=early_stoping: no such option, did you mean early_stopping? (there are: default, early_stopping, "
        "lr_monitor, no_checkpoints)",
        "'callbacks=[early_stopping,lr_monitor]'",
    ),
    "trainer.limit_val_batches=2": (
        f"trainer.limit_val_batches: no such group or key {NEW.format('trainer.limit_val_batches')}",
        "+trainer.limit_val_batches=2",
    ),
    "model.hidden_sizes=[3]": (
        "model.hidden_sizes: no such group or key; there is one with model=mlp_regressor "
        f"{NEW.format('model.hidden_sizes')}",
        "model=mlp_regressor 'model.hidden_sizes=[3]'",
    ),
    "experiment=xor model.widths=[32,64": (
        "model.widths=[32,64: ] is missing at its end",
        "",
    ),
    "experiment=xor model.widths=[32,64]": (
        f"model.widths: no such group or key; there is one with model=cifar_cnn {NEW.format('model.widths')}",
        "",
    ),
    "experiment=xor model.hiden=3": (
        "model.hiden: no such group or key, did you mean model.hidden_features or model.hidden_activation? "
        f"{NEW.format('model.hiden')}",
        "",
    ),
    "name=my run seed=1": ("name=my run: the shell splits it at its spaces", "'name=my run' seed=1"),
    "trainer.max_epochs=None": ("trainer.max_epochs=None: must be a number or null", "trainer.max_epochs=null"),
    "trainer.max_epochs=~": ("trainer.max_epochs=~: must be a number or null", "trainer.max_epochs=null"),
    "trainer.max_epochs=True": ("trainer.max_epochs=True: must be a number or null", ""),
    "seed=None": ("seed=None: must be a number", ""),
    "trainer.max_epochs=1k": ("trainer.max_epochs=1k: must be a number", "trainer.max_epochs=1000"),
    "trainer.max_epochs=1.5M": ("trainer.max_epochs=1.5M: must be a number", "trainer.max_epochs=1500000"),
    "seed=12a": ("seed=12a: must be a number", "seed=12"),
    "trainer.max_epochs=1h": ("trainer.max_epochs=1h: must be a number", ""),
    "hydra.sweep.dirr=x": (
        "hydra.sweep.dirr: Hydra reads no such key, did you mean hydra.sweep.dir?",
        "hydra.sweep.dir=x",
    ),
    "+hydra.job.chdirr=true": (
        "hydra.job.chdirr: Hydra reads no such key, did you mean hydra.job.chdir?",
        "hydra.job.chdir=true",
    ),
    "hydra.launcher=local": ("hydra.launcher=local: must be chosen as hydra/launcher=local", "hydra/launcher=local"),
    "hydra.mode=MULTRUN": ("hydra.mode=MULTRUN: must be one of RUN, MULTIRUN", ""),
    "trainer.max_epochs=ten": ("trainer.max_epochs=ten: must be a number", ""),
    "compile=yes": ("compile=yes: must be true or false", "compile=true"),
    "targets=lab": ("targets=lab: must be a list, such as [a,b]", "'targets=[lab]'"),
    "monitor=val/loss": ("monitor=val/loss: must be one of its keys: monitor.metric, monitor.mode", ""),
    "+optimizer.lr=1": ("+optimizer.lr=1: optimizer.lr is there already, and needs no plus sign", "optimizer.lr=1"),
    "+model=simple_net": ("+model=simple_net: needs no plus sign", "model=simple_net"),
    "+experimnt=xor": (
        "experimnt: no such group, did you mean experiment? (++experimnt=... makes a new key)",
        "experiment=xor",
    ),
    "~optimizer.lrr": (
        "~optimizer.lrr: there is nothing of that name to leave out, did you mean optimizer.lr?",
        "'~optimizer.lr'",
    ),
    "experiment=null": ("experiment=null: a group is left out with ~experiment", "'~experiment'"),
    "~debug=true": ("~debug=true: a group is left out with ~debug", "'~debug'"),
    "seed=1,2": ("seed=1,2: several values take -m, a list is written [a,b], a text '...'", "-m seed=1,2"),
    "experiment=sine model.hidden_sizes=20,20": (
        "model.hidden_sizes=20,20: a list is written model.hidden_sizes=[20,20] (-m would try each)",
        "experiment=sine 'model.hidden_sizes=[20,20]'",
    ),
    "'optimizer.lr=interval(1,2,log)'": (
        "optimizer.lr=interval(1,2,log): several values take -m, a list is written [a,b], a text '...'",
        "-m 'optimizer.lr=interval(1,2,log)'",
    ),
    "-m seed=1,b": ("seed=1,b: must be a number", ""),
    "optimizer.lr = 1": ("optimizer.lr = 1: an override has no spaces", "optimizer.lr=1"),
    "optimizer.lr= 1": ("optimizer.lr= 1: an override has no spaces", "optimizer.lr=1"),
    "optimizer.lr:1": ("optimizer.lr:1: an override is GROUP=OPTION or KEY=VALUE", "optimizer.lr=1"),
    "optimizer.lr==1": ("optimizer.lr==1: one equals sign is enough", "optimizer.lr=1"),
    "--optimizer.lr 1": (
        "--optimizer.lr: no such flag; overrides are written without dashes: optimizer.lr=...",
        "optimizer.lr=1",
    ),
    "--multi-run seed=1,2": ("--multi-run: no such flag, did you mean --multirun?", "-m seed=1,2"),
    "--cfg jobb": ("--cfg jobb: shows job, hydra or all, did you mean job?", "--cfg job"),
    "experiment=sine model.hidden_sizes=[1, 2]": (
        "model.hidden_sizes=[1, 2]: the shell splits it at its spaces",
        "experiment=sine 'model.hidden_sizes=[1,2]'",
    ),
    "targets=[lab": ("targets=[lab: ] is missing at its end", "'targets=[lab]'"),
    "expected.test/loss=[0,1]": (
        "expected.test/loss=[0,1]: Hydra takes no key with a dot and a slash; in braces it does",
        "'expected={test/loss: [0,1]}'",
    ),
    "name=a=b": ("name=a=b: such a value is put in quotes", "\"name='a=b'\""),
    "seed=1,": ("seed=1,: nothing comes after its last comma", "seed=1"),
    "seed=1, 2": ("seed=1, 2: an override has no spaces", "-m seed=1,2"),
    "experiment=sine model.hidden_sizes=[1,2,]": (
        "model.hidden_sizes=[1,2,]: nothing comes after its last comma",
        "experiment=sine 'model.hidden_sizes=[1,2]'",
    ),
    "experiment=xor,": ("experiment=xor,: nothing comes after its last comma", "experiment=xor"),
    "-m 'seed=rnage(3)'": ("seed=rnage(3): no such function, did you mean range?", "-m 'seed=range(3)'"),
    "-m sweep=optuna 'optimizer.lr=intervall(1,2)'": (
        "optimizer.lr=intervall(1,2): no such function, did you mean interval?",
        "-m sweep=optuna 'optimizer.lr=interval(1,2)'",
    ),
    "-m 'seed=range(a)'": ("seed=range(a): is written range(start,stop,step), of numbers", ""),
    "'model=simple_net optimizer=sgd'": (
        "model=simple_net optimizer=sgd: quotes are put around each override",
        "model=simple_net optimizer=sgd",
    ),
    "'seed=3 name=x'": ("seed=3 name=x: quotes are put around each override", "seed=3 name=x"),
    "'trainer.max_epochs=3 # c'": ("trainer.max_epochs=3 # c: must be a number", "trainer.max_epochs=3"),
    "'expected={test/loss: 0,1}'": (
        "expected={test/loss: 0,1}: is no list or mapping, such as [1,2] or {a: 1}",
        "",
    ),
    "optimizer.lr={seed}": ("optimizer.lr={seed}: must be a number", "'optimizer.lr=${seed}'"),
    "optimizer.lr='$seed'": ("optimizer.lr=$seed: must be a number", "'optimizer.lr=${seed}'"),
    "optimizer.lr='${seeed}'": (
        "optimizer.lr=${seeed}: there is no key seeed, did you mean seed?",
        "'optimizer.lr=${seed}'",
    ),
    "name='${oc.env:HOMEE}'": (
        "name=${oc.env:HOMEE}: there is no environment variable HOMEE, did you mean HOME?",
        "'name=${oc.env:HOME}'",
    ),
    "seed='${seed}'": ("seed=${seed}: refers to itself", ""),
    "seed='${data.seed}'": ("seed=${data.seed}: refers to itself", ""),
    "~seed": ("~seed: data.seed refers to it", ""),
    "~name": ("~name: hydra.run.dir refers to it", ""),
    "~monitor": ("~monitor: callbacks.best.monitor refers to it", ""),
    "'model={hiden_features: 3}'": (
        "model.hiden_features: no such group or key, did you mean model.hidden_features? "
        f"{NEW.format('model.hiden_features')}",
        "'model={hidden_features: 3}'",
    ),
    "'trainer={max_epoch: 3}'": (
        f"trainer.max_epoch: no such group or key, did you mean trainer.max_epochs? {NEW.format('trainer.max_epoch')}",
        "'trainer={max_epochs: 3}'",
    ),
    "'hydra.run={dirr: 3}'": (
        "hydra.run.dirr: Hydra reads no such key, did you mean hydra.run.dir?",
        "'hydra.run={dir: 3}'",
    ),
    "'model={hidden_features: x}'": ("model.hidden_features=x: must be a number", ""),
    "'+trainer.max_epochs={a: 1}'": ("+trainer.max_epochs={a: 1}: must be a number", ""),
    "+hydra.foo.bar=3": ("hydra.foo.bar: Hydra reads no such key", ""),
    "hydra.launcher.foo=3": ("hydra.launcher.foo: Hydra reads no such key", ""),
    "hydra.job.env_set.A=1": (
        f"hydra.job.env_set.A: no such group or key {NEW.format('hydra.job.env_set.A')}",
        "+hydra.job.env_set.A=1",
    ),
    "hydra.callbacks=null": ("hydra.callbacks=null: must be one of its keys: hydra.callbacks.run_folder", ""),
    "hydra.run.dir=null": ("hydra.run.dir=null: must be a text", ""),
    "override=1": (f"override: no such group or key {NEW.format('override')}", ""),
    "trainer.devices=gpu": ("trainer.devices=gpu: must be a number, auto, or a list such as [0,1]", ""),
    "trainer.deterministic=wran": ("trainer.deterministic=wran: must be true, false or warn", ""),
    "'experiment=glob(*)'": (
        "experiment=glob(*): several values take -m, a list is written [a,b], a text '...'",
        "-m 'experiment=glob(*)'",
    ),
    "-m experiment=xor,sinee": (
        "experiment=sinee: no such option, did you mean sine? (there are: cifar10, cifar10_fast, sine, sine_linear, "
        "sine_raw, xor, xor_linear)",
        "-m experiment=xor,sine",
    ),
    "-m +seed=1,2": ("+seed=1,2: seed is there already, and needs no plus sign", "-m seed=1,2"),
    "-m seed=1,2 --cfg job": (
        "--cfg: shows the config of one run, not of a sweep: leave -m out, with one value of a key",
        "",
    ),
    "-m seed=1,x --cfg job": (
        "--cfg: shows the config of one run, not of a sweep: leave -m out, with one value of a key; "
        "seed=1,x: must be a number",
        "",
    ),
    "-m seed=1 --cfg job": (
        "--cfg: shows the config of one run, not of a sweep: leave -m out, with one value of a key",
        "seed=1 --cfg job",
    ),
    "seed=1,2 --cfg job": ("seed=1,2: several values take -m, a list is written [a,b], a text '...'", ""),
    "--cfg job --info": ("--cfg and --info: only one of them is answered at a time", "--cfg job"),
    "--resolve seed=1": (
        "--resolve: says how --cfg job shows the config, and is nothing without it",
        "--cfg job --resolve seed=1",
    ),
    "~optimizer=sgd": (
        "~optimizer=sgd: another option is chosen; the group is left out with ~optimizer",
        "'~optimizer'",
    ),
    "~optimizer.lr=5": ("~optimizer.lr=5: has another value; it is left out with ~optimizer.lr", "'~optimizer.lr'"),
    "model@x=simple_net": (
        "model@x=simple_net: there is no model@x to change; a new one takes a plus sign",
        "+model@x=simple_net",
    ),
    "'~optimizer.lr' optimizer.lr=1": (
        "optimizer.lr=1: there is no optimizer.lr to change; a new one takes a plus sign",
        "'~optimizer.lr' +optimizer.lr=1",
    ),
    "+a@b=1": ("+a@b=1: there is no group a", ""),
    "++model@model=simple_nett": (
        "++model@model=simple_nett: one plus sign is enough; model appears more than once in the final defaults list",
        "",
    ),
    "'model.hidden_features=[10' 'name={a'": (
        "model.hidden_features=[10: ] is missing at its end; name={a: } is missing at its end",
        "",
    ),
    '"seed=\'3"': ("seed='3: ' is missing at its end", "seed=3"),
    "-- seed=3": ("'--': names nothing", "seed=3"),
    "''": ("'': names nothing", ""),
    "-s 3": ("-s: no such flag; overrides are written without dashes: s=...", ""),
    "--lr 0.1": ("--lr: no such flag; overrides are written without dashes: lr=...", "optimizer.lr=0.1"),
    "'seed=3 '": ("seed=3 : has spaces around its key or its value", "seed=3"),
    "/model=simple_net": ("/model=simple_net: /model is no name of a key", "model=simple_net"),
    "model..hidden_features=3": (
        "model..hidden_features=3: model..hidden_features is no name of a key",
        "model.hidden_features=3",
    ),
    "~~model": ("~~model: ~~model is no name of a key", "'~model'"),
    "~optimizer.lr ~optimizer.lr": ("~optimizer.lr ~optimizer.lr: ~optimizer.lr is given twice", "'~optimizer.lr'"),
    "\N{EN DASH}m seed=1": ("\N{EN DASH}m: its quotes or dashes are those of a text processor", "-m seed=1"),
}


@pytest.fixture(autouse=True)
def _of_the_project() -> None:
    use_paths_of(PROJECT)


def accepted(words: Sequence[str]) -> bool:
    return all_wrong(list(map(as_hydra_spells, words)), CONFIGS) is None


def answered(words: Sequence[str]) -> tuple[str, str]:
    """What is said, and the command that is proposed; "" where none is."""
    wrong = all_wrong(words, CONFIGS)
    if wrong is None:
        return "", ""
    wrong.propose("train", words, accepted)
    return str(wrong), (wrong.command or "").removeprefix("train ")


@pytest.mark.parametrize("command", ANSWERS)
def test_a_mistake_is_answered_with_what_was_meant(command: str) -> None:
    assert answered(shlex.split(command)) == ANSWERS[command]


def test_a_command_that_is_proposed_is_accepted() -> None:
    """Of the corpus all that are known, of random words those that are not withheld."""
    generator, names, options = random.Random(2), *vocabulary()
    for case in generator.sample(list(cases(random.Random(0))), 20):
        wrong = all_wrong(case.words, CONFIGS)
        assert wrong is not None
        corrected = wrong.corrected(case.words)
        assert corrected is None or accepted(corrected)
    for words in [random_words(generator, names, options) for _ in range(30)]:
        _, proposed = answered(words)
        assert not proposed or accepted(shlex.split(proposed))


def test_all_mistakes_of_a_command_are_told_at_once() -> None:
    words = shlex.split("experiment=cifar_10 optimizer.momentun=0.9 trainer.max_epochs=ten -seed=1")
    wrong = all_wrong(words, CONFIGS)
    assert wrong is not None
    assert [mistake.words[0] for mistake in wrong.mistakes] == [words[3], *words[:3]]
    assert "did you mean cifar10?" in wrong.mistakes[1].what
    assert "did you mean optimizer.momentum?" in wrong.mistakes[2].what  # which adam has not, and cifar10's sgd has


@pytest.mark.parametrize(
    "words",
    [
        "optimizer.lr=1 trainer.max_epochs=null trainer.devices=auto trainer.precision=16 seed=3 seed=4",
        "trainer.devices=[0,1] trainer.deterministic=warn trainer.gradient_clip_val=0.5 trainer.max_epochs=1e3",
        "checkpoint.every_n_minutes=0.5 threads=2 name=7 expected={test/loss:[0,1]} hydra.verbose=[a]",
        "debug=overfit trainer.overfit_batches=0.1 optimizer.lr='${seed}' +trainer.limit_val_batches=2",
        "debug=profiler trainer.profiler=simple ~experiment ++optimizer.lr=1 '~optimizer.lr'",
        "hydra/launcher=slurm +hydra.launcher.qos=long hydra.launcher.mem_gb=4 +hydra.job.env_set.A=1",
        "-m experiment=cifar10,sine optimizer.momentum=0.1,0.2 'seed=range(3)'",
        "+model.new=1 model.new=2 sweep=optuna +callbacks.mine._target_=lab.Mine init_from=logs/a paths.log_dir=/tmp/x",
        "--cfg job experiment=xor --resolve seed=1 -p model",
        "model=mlp_regressor model=simple_net model.hidden_features=3",  # the last counts, as Hydra has it
    ],
)
def test_what_is_right_is_left_alone(words: str) -> None:
    assert all_wrong(shlex.split(words), CONFIGS) is None


def test_a_search_space_is_proposed_as_it_was_typed() -> None:
    words = ["-m", "experiment=sinee", "optimizer.lr=interval(1e-4,1e-1,log)"]
    wrong = all_wrong(list(map(as_hydra_spells, words)), CONFIGS)
    assert wrong is not None
    wrong.propose("train", words, accepted, as_hydra_spells)
    assert wrong.command == "train -m experiment=sine 'optimizer.lr=interval(1e-4,1e-1,log)'"


def test_an_option_and_a_key_of_ones_own_are_proposed(tmp_path: Path) -> None:
    shutil.copytree(CONFIGS, tmp_path / "configs")
    (tmp_path / "configs" / "model" / "wide_net.yaml").write_text("_target_: lab.Wide\nwidth_of_all: 64\n")
    wrong = all_wrong(["model=widenet", "model.widthofall=3"], tmp_path / "configs")
    assert wrong is not None
    assert wrong.corrected(["model=widenet", "model.widthofall=3"]) == ["model=wide_net", "model.width_of_all=3"]


def test_random_words_end_in_a_config_or_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    generator, names, options = random.Random(1), *vocabulary()
    before = set((PROJECT / "logs").rglob("*"))
    lists = [random_words(generator, names, options) for _ in range(50)]
    assert [(words, said) for words in lists if (said := survives(words))] == []
    assert set((PROJECT / "logs").rglob("*")) == before


def composed(loader: ConfigLoader, words: list[str], mode: RunMode, **options: bool) -> DictConfig:
    return loader.load_configuration("train", words, mode, **options)


@pytest.mark.parametrize("words", [["experiment=xor"], ["experiment=sine", "seed=1", "+trainer.limit_test_batches=2"]])
def test_what_hydra_composed_for_the_mode_is_what_it_runs(words: list[str]) -> None:
    """It composes every command twice, which takes a tenth of a second."""
    use_paths_of(PROJECT)
    with checked_loader(), initialize_config_dir(str(CONFIGS), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        for_mode = composed(loader, words, RunMode.MULTIRUN, validate_sweep_overrides=False)
        to_run = composed(loader, [*words, "hydra.mode=RUN"], RunMode.RUN)
        assert to_run is for_mode
        anew = composed(loader, [*words, "hydra.mode=RUN"], RunMode.RUN)
    assert anew is not to_run
    assert OmegaConf.to_yaml(anew) == OmegaConf.to_yaml(to_run)


def test_what_a_sweep_may_leave_open_a_run_may_not(tmp_path: Path) -> None:
    shutil.copytree(CONFIGS, tmp_path / "configs")
    page = tmp_path / "configs" / "train.yaml"
    page.write_text(page.read_text().replace("- model: simple_net ", "- model: ??? "))
    use_paths_of(PROJECT)
    with checked_loader(), initialize_config_dir(str(page.parent), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        composed(loader, [], RunMode.MULTIRUN, validate_sweep_overrides=False)
        with pytest.raises(WordsError, match="You must specify 'model'"):
            composed(loader, ["hydra.mode=RUN"], RunMode.RUN)
