"""Keys of a config that nothing reads."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import CONFIGS, PROJECT, called
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from leyden.config.app import use_paths_of
from leyden.config.keys import BY_THE_ENGINE
from leyden.config.origin import Origin
from leyden.config.signatures import BUILT, BUILT_EACH, problems
from leyden.config.unread import referred_to, unread
from leyden.config.values import full_keys

MINE = """\
# @package _global_
defaults:
  - override /model: simple_net
width: 8
sizes: {one: 1, two: 2}
model:
  hidden_features: ${width}
max_epoch: 5
monitor:
  patience: 3
optimzer:
  lr: 0.1
name: ${oc.select:sizes.one,mine}
"""


@pytest.fixture
def configs(tmp_path: Path) -> Iterator[Path]:
    """A folder of configs of one's own, beside those that are shipped."""
    use_paths_of(PROJECT)
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(MINE)
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        yield tmp_path


def found(configs: Path, *words: str) -> list[str]:
    words = f"hydra.searchpath=[{configs}]", *words, "paths.run_dir=here"
    config = compose("train", overrides=[*words])
    return [str(each).replace(f"{configs}/", "") for each in problems(config, Origin(words, [CONFIGS, configs]))]


def test_each_is_said_with_its_place_and_the_nearest_name(configs: Path) -> None:
    assert found(configs, "experiment=mine", "+foo=1") == [
        "monitor.patience=3 (experiment/mine.yaml:10): nothing reads it",
        "sizes.two=2 (experiment/mine.yaml:5): nothing reads it",
        "max_epoch=5 (experiment/mine.yaml:8): nothing reads it, did you mean trainer.max_epochs?",
        "optimzer (experiment/mine.yaml:12): nothing reads it, did you mean optimizer?",
        "foo=1 (on the command line): nothing reads it",
    ]


@pytest.mark.parametrize(("word", "said"), [
    ("++foo.a.b=1", "foo (on the command line): nothing reads it"),
    ("+default=[sine]", "default=['sine'] (on the command line): nothing reads it, did you mean defaults?"),
    ("+fast_dev_run=true",
     "fast_dev_run=true (on the command line): nothing reads it, did you mean trainer.fast_dev_run?"),
    ("+monitor.metrics=val/mse",
     "monitor.metrics='val/mse' (on the command line): nothing reads it, did you mean monitor.metric?"),
    ("+sweep.n_trial=3", "sweep.n_trial=3 (on the command line): nothing reads it, did you mean sweep.n_trials?"),
])  # fmt: skip
def test_what_is_said_of_a_word(word: str, said: str, configs: Path) -> None:
    assert found(configs, "sweep=optuna", word) == [said]


def test_a_key_is_read_where_any_file_refers_to_it_chosen_or_not(configs: Path) -> None:
    own = configs / "model" / "wide.yaml"
    own.parent.mkdir()
    own.write_text("_target_: lab.models.SimpleNet\nhidden_features: ${cluster.width}\n")
    assert found(configs, "+cluster.width=3", "+cluster.widht=4") == [
        "cluster.widht=4 (on the command line): nothing reads it, did you mean cluster.width?"
    ]
    assert "width" not in " ".join(found(configs, "experiment=mine", "model.hidden_features=3"))


@pytest.mark.parametrize(("text", "names"), [
    ("a: ${b.c}/${d}", {"b.c", "d"}),
    ("${hydra:job.num} ${oc.env:HOME,${project:data}}", {"hydra", "job.num", "oc.env", "HOME", "project", "data"}),
    ("${.a} ${...a.b}", {".a"}),
    ("${a.${b}} ${c[d]} ${e.0}", {"a", "b", "c", "d", "e.0"}),
    ("{a: b} $c", set()),
])  # fmt: skip
def test_what_an_interpolation_refers_to(text: str, names: set[str]) -> None:
    assert referred_to(text) == names


def test_what_is_above_below_or_beside_what_is_read() -> None:
    config = OmegaConf.create({"a": {"b": 1, "c": {"d": 2, "e": 3}}, "f": [1], "g": {"h": 4}, "i": {}, "ab": 5})
    assert unread(config, {"a.b", "a.c.d", "f.0", ".h"}) == {"a.c.e": 3, "i": {}, "ab": 5}
    assert unread(config, {"a", "ab", "f", "g", "i"}) == {}


def test_the_list_of_what_the_engine_reads_is_what_its_code_reads() -> None:
    """`config.a.b`, `config.get("a")`, and of a sweep's settings `settings.a` and `_one_of(settings, "a")`."""
    in_code = set[str]()
    for file in (PROJECT / "src" / "leyden").rglob("*.py"):
        nodes = [ast.unparse(node) for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.expr)]
        in_code |= {each[1] for node in nodes if (each := re.fullmatch(r"(?:\w+\.)?config\.([\w.]+)", node))}
        in_code |= {each[1] for node in nodes if (each := re.match(r"(?:\w+\.)?config\.get\('([\w.]+)'", node))}
        in_code |= {f"sweep.{each[1]}" for node in nodes if (each := re.fullmatch(r"(?:self\.)?settings\.(\w+)", node))}
        in_code |= {f"sweep.{each[1]}" for node in nodes if (each := re.match(r"_one_of\(config.sweep, '(\w+)'", node))}
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        keys = full_keys(OmegaConf.to_container(compose("train", overrides=["sweep=optuna"])))
    of_omegaconf = {name for name in in_code if hasattr(DictConfig, name.split(".")[0])}
    read = {next((key for key in (name, name.rpartition(".")[0]) if key in keys), name) for name in in_code}
    built = {key for key in read if key.split(".")[0] in (*BUILT, *BUILT_EACH, "hydra")}
    holders = {key for key in read if any(each.startswith(f"{key}.") for each in BY_THE_ENGINE)}
    assert read - of_omegaconf - built - holders == set(BY_THE_ENGINE)


def test_a_training_ends_before_it_begins(tmp_path: Path) -> None:
    completed = called(
        "train", "experiment=xor", "+max_epoch=5", "model.hidden_features=4.5", f"paths.log_dir={tmp_path}"
    )
    assert completed.stderr == (
        "error: model.hidden_features=4.5 (on the command line): must be int\n"
        "error: max_epoch=5 (on the command line): nothing reads it, did you mean trainer.max_epochs?\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_an_interpolation_that_is_not_closed_ends_with_its_line() -> None:
    assert referred_to("steps: ${trainer.max_steps\nmonitor:\n  metric: val/loss\n") == {"trainer.max_steps"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "experiment: experiment/mine.yaml is empty"),
        (
            "seed: 3\n",
            "experiment (experiment/mine.yaml:1): nothing reads it: the first line of experiment/mine.yaml must be "
            "`# @package _global_`",
        ),
    ],
)
def test_an_experiment_that_changes_nothing(text: str, said: str, configs: Path) -> None:
    (configs / "experiment" / "mine.yaml").write_text(text)
    assert found(configs, "experiment=mine") == [said]


def test_a_variable_is_no_number(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUM", "3")
    (configs / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: ${oc.env:NUM}\n")
    assert found(configs, "experiment=mine") == [
        "seed='3' (experiment/mine.yaml:2): must be int; a variable is a text, and read as a number by "
        "${oc.decode:${oc.env:NUM}}"
    ]
