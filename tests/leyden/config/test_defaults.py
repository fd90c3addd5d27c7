"""What is wrong in the files that a config is composed of, with file, line and what was probably meant."""

from pathlib import Path

import pytest

from leyden.config.words import all_wrong

G = "# @package _global_\n"
D = G + "defaults:\n"
HEADER = "the first line must be `# @package _global_`"
OVERRIDE = "write `override /model: simple_net`"
MODELS = "(there are: cifar_cnn, mlp_regressor, simple_net)"
ANSWERS = {
    D + "  - override /data: xor\n  - override /model: simple_nett\n": (
        f"4: model=simple_nett: no such option, did you mean simple_net? {MODELS}"
    ),
    D + "  - override /modl: x\n": "3: modl: no such group, did you mean model?",
    "defaults:\n  - override /model: simple_net\n": f"1: {HEADER}",
    "# @pakage _global_\ndefaults:\n  - override /model: simple_net\n": f"1: {HEADER}",
    "# mine\n" + D + "  - override /model: simple_net\n": f"1: {HEADER}",
    "\ufeff" + D + "  - override /model: simple_net\n": (
        f"1: {HEADER} (it has a byte order mark before it: save it without one)"
    ),
    D + "  - model: simple_net\n": f"3: model: simple_net: is looked for in experiment/; {OVERRIDE}",
    D + "  - override model: simple_net\n": f"3: override model: simple_net: is looked for in experiment/; {OVERRIDE}",
    D + "  - /model: simple_net\n": f"3: /model: simple_net: model is chosen before; {OVERRIDE}",
    D + "  - override /model simple_net\n": (
        "3: override /model simple_net: wants a colon: `override /model: simple_net`"
    ),
    D + "  - override /model=simple_net\n": (
        "3: override /model=simple_net: wants a colon: `override /model: simple_net`"
    ),
    D + "  - xorr\n  - _self_\n": (
        "3: experiment=xorr: no such option, did you mean xor? (there are: cifar10, cifar10_fast, mine, sine, "
        "sine_linear, sine_raw, xor, xor_linear)"
    ),
    D + "  - override /callbacks: [early_stopping, lr_moniter]\n": (
        "3: callbacks=lr_moniter: no such option, did you mean lr_monitor? (there are: default, early_stopping, "
        "lr_monitor, no_checkpoints)"
    ),
    D + "  - override /modl: x\n  - override /data: xr\n": (
        "3: modl: no such group, did you mean model?; configs/experiment/mine.yaml:4: data=xr: no such option, did you "
        "mean xor? (there are: cifar10, noisy_sine, xor)"
    ),
    D + "  - override /model: simple_net\n  - xor\n": (
        "3: Override 'model : simple_net' is defined before 'experiment@_global_: xor'. Overrides must be at the end "
        "of the defaults list"
    ),
    D + "  - xor\n  - _self_\n  - _self_\n": "3: Duplicate _self_",
    G + "hydra: {job: {chdri: true}}\n": (
        "2: hydra.job.chdri: Hydra reads no such key, did you mean hydra.job.chdir?"
    ),
    G + "name: x\ncallbacks:\n  - a\n": "4: callbacks: must be keys and values, such as best: ..., not a list",
    G + "trainer: [a]\n": "2: trainer: must be keys and values, such as _target_: ..., not a list",
    G + "targets: {a: b}\n": "2: targets: must be a list, such as [a,b], not keys and values",
    G + "monitor: val/accuracy\n": (
        "2: monitor=val/accuracy: must be one of its keys: monitor.metric, monitor.mode"
    ),
    G + "monitor:\n": "2: monitor=null: must be one of its keys: monitor.metric, monitor.mode",
    G + "trainer: cpu\n": "2: trainer=cpu: an option is chosen in the defaults list: `override /trainer: cpu`",
    G + "trainer: 3\n": "2: trainer=3: must be keys and values, such as {a: 1}",
    G + "trainer:\n  max_epochs:1\n": "3: trainer=max_epochs:1: YAML wants a space after a colon",
    G + "- a\n": "1: must be keys and values, such as hydra: ..., not a list",
}  # fmt: skip


@pytest.mark.parametrize("text", ANSWERS)
def test_a_file_that_does_not_fit_is_told_with_its_line(text: str, configs: Path) -> None:
    (configs / "experiment" / "mine.yaml").write_text(text)
    assert str(all_wrong(["experiment=mine"], configs)) == f"configs/experiment/mine.yaml:{ANSWERS[text]}"


def test_files_that_include_themselves(configs: Path) -> None:
    mine, other = (configs / "experiment" / f"{name}.yaml" for name in ("mine", "other"))
    mine.write_text(D + "  - mine\n")
    assert str(all_wrong(["experiment=mine"], configs)) == "configs/experiment/mine.yaml includes itself"
    mine.write_text(D + "  - other\n")
    other.write_text(D + "  - xor\n  - mine\n")
    said = "configs/experiment/mine.yaml includes itself, by way of configs/experiment/other.yaml"
    assert str(all_wrong(["experiment=mine"], configs)) == said


def test_a_wrong_line_of_the_first_page(configs: Path) -> None:
    page = configs / "train.yaml"
    page.write_text(page.read_text().replace("- model: simple_net ", "- model: simple_nett "))
    wrong = f"configs/train.yaml:5: model=simple_nett: no such option, did you mean simple_net? {MODELS}"
    assert str(all_wrong(["seed=1"], configs)) == wrong


def test_what_an_experiment_sets_of_a_group_that_is_left_out(configs: Path) -> None:
    said = str(all_wrong(["experiment=xor", "~optimizer"], configs))
    assert said == "~optimizer: configs/experiment/xor.yaml:13 sets optimizer.lr all the same, of no class then"
    assert all_wrong(["~optimizer"], configs) is None
