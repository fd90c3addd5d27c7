from pathlib import Path

import pytest
from conftest import CONFIGS, EXPERIMENTS
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from leyden.completion.composed import composed
from leyden.config.values import full_keys

OPTIONS = [
    [f"{file.parent.name}={file.stem}"] for file in sorted(CONFIGS.glob("*/*.yaml")) if "hydra" not in file.parts
]
SEVERAL = [
    ["experiment=cifar10_fast", "optimizer=sgd", "callbacks=[early_stopping,lr_monitor]"],
    ["callbacks=no_checkpoints", "experiment=cifar10", "debug=profiler", "optimizer=adam"],
    ["~callbacks", "experiment=sine", "sweep=optuna"],
]


def keys(configs: Path, words: list[str]) -> tuple[list[str], list[str]]:
    """As read here, and as Hydra composes them."""
    config = composed(configs, words).config
    with initialize_config_dir(str(configs), version_base="1.3"):
        by_hydra = OmegaConf.to_container(compose("train", words))
    return full_keys({name: value for name, value in config.items() if name != "hydra"}), full_keys(by_hydra)


@pytest.mark.parametrize("words", [[], *OPTIONS, *SEVERAL], ids=" ".join)
def test_it_has_the_keys_that_hydra_composes_in_their_order(words: list[str]) -> None:
    read, by_hydra = keys(CONFIGS, words)
    assert read == by_hydra


def test_all_experiments_are_among_them() -> None:
    assert [["experiment=" + name] in OPTIONS for name in EXPERIMENTS] == [True] * len(EXPERIMENTS)


PAGES = {
    "train": "defaults: [_self_, base, {net: big}, {net/head@top: wide}, {plain: null}, {set: a}, {optional no: b}]",
    "base": "# @package _global_.inner\ndefaults: [/net/head/thin, /net/small@two, {/net@three: big}]\nb: {c: 2}\n",
    "net/big": "defaults: [small, {head: wide}]\ndepth: 9\n",
    "net/small": "\n# @package small\ndepth: 2\nwidth: 1\n",
    "net/head/wide": "units: 100\n",
    "net/head/thin": "# of no package: @package x\n# @package y\nthin: true\n",
    "plain/one": "p: {one: 1, both: 1}\n",
    "plain/two": "p: {two: 1, both: null}\n",
    "set/a": "# @package _global_\ndefaults: [b, _self_, {override /plain: two}, {override /net/head@top: thin}]\nd: 1",
    "deep": "f: {g: 1}\n",
    "set/b": "# @package _global_\ndefaults: [/deep, {override /plain: one}, {override /net: small}]\nd: {e: 1}\n",
}


@pytest.mark.parametrize(
    "words",
    [[], ["net=small"], ["plain=[one,two]"], ["plain=[two,one]"], ["net/head@top=wide"], ["set=b"], ["~plain"]],
    ids=" ".join,
)
def test_defaults_lists_of_any_kind_are_read_as_hydra_reads_them(words: list[str], tmp_path: Path) -> None:
    for name, text in PAGES.items():
        (tmp_path / f"{name}.yaml").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.yaml").write_text(text)
    read, by_hydra = keys(tmp_path, words)
    assert read == by_hydra


def test_what_is_half_written_is_empty(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "train.yaml").write_text("defaults: [{model: a}, {model/b: c}]\nseed: 0\n")
    (tmp_path / "model" / "a.yaml").write_text("widths: [1,\n")
    assert composed(tmp_path, ["model=a"]) == ({"seed": 0}, {"model", "model/b"})


def test_a_page_that_names_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text("defaults: [train]\nseed: 0\n")
    assert composed(tmp_path, []).config == {"seed": 0}
