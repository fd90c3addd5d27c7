"""Interpolations in files that name nothing: the key, file and line, and what was probably meant."""

import io
from contextlib import redirect_stderr
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from leyden.cli import main
from leyden.config.interpolations import resolve
from leyden.config.origin import Origin
from leyden.config.words import all_wrong, checked_loader
from leyden.errors import UserError

X = "# @package _global_\ndefaults: [xor, _self_]\n"


@pytest.mark.parametrize(("text", "said"), [
    ("optimizer:\n  lr: ${nowhere.x}\n",
     "optimizer.lr=${nowhere.x} (configs/experiment/mine.yaml:4): there is no key nowhere.x"),
    ("optimizer:\n  lr: ${trainer.max_epoch}\nthreads: ${optimizer.lr}\n",
     "optimizer.lr=${trainer.max_epoch} (configs/experiment/mine.yaml:4): there is no key trainer.max_epoch, did you "
     "mean trainer.max_epochs?"),
    ("optimizer:\n  lr: ${optimizer.eps}\n  eps: ${optimizer.lr}\n",
     "optimizer.lr=${optimizer.eps} (configs/experiment/mine.yaml:4): refers to itself"),
    ("seed: ${eval:1+1}\n",
     "seed=${eval:1+1} (configs/experiment/mine.yaml:3): there is no resolver eval (there are: oc.create, oc.decode, "
     "oc.deprecated, oc.dict.keys, oc.dict.values, oc.env, oc.select)"),
    ("seed: ${oc.envv:N}\n",
     "seed=${oc.envv:N} (configs/experiment/mine.yaml:3): there is no resolver oc.envv, did you mean oc.env?"),
    ("seed: ${oc.env:NUM_EPOCHS}\nthreads: ${sed}\n",
     "seed=${oc.env:NUM_EPOCHS} (configs/experiment/mine.yaml:3): there is no environment variable NUM_EPOCHS; "
     "threads=${sed} (configs/experiment/mine.yaml:4): there is no key sed, did you mean seed?"),
    ("targets: [lab, '${seeed}']\n",
     "targets=['lab', '${seeed}'] (configs/experiment/mine.yaml:3): there is no key seeed, did you mean seed?"),
])  # fmt: skip
def test_all_are_told_with_key_file_and_line(text: str, said: str, configs: Path) -> None:
    (configs / "experiment" / "mine.yaml").write_text(X + text)
    words = ["experiment=mine", "paths.run_dir=here"]
    with checked_loader(), initialize_config_dir(str(configs), version_base="1.3"), pytest.raises(UserError) as error:
        resolve(compose("train", overrides=words), Origin(words, [configs]))
    assert str(error.value) == said


def test_where_the_config_is_shown_they_are_told_as_a_run_would(configs: Path) -> None:
    (configs / "experiment" / "mine.yaml").write_text(X + "threads: ${sed}\npopulation: ${optimzer.lr}\n")
    (configs.parent / "train.py").touch()
    out = io.StringIO()
    with redirect_stderr(out), pytest.raises(SystemExit):
        main(["train", "experiment=mine", "--cfg", "job", "--resolve"], configs.parent)
    assert out.getvalue() == (
        "error: threads=${sed} (configs/experiment/mine.yaml:3): there is no key sed, did you mean seed?\n"
        "error: population=${optimzer.lr} (configs/experiment/mine.yaml:4): there is no key optimzer.lr, did you mean "
        "optimizer.lr?\n"
    )


def test_of_the_name_that_a_run_folder_has_it_is_told_before_hydra_makes_one(configs: Path) -> None:
    (configs / "experiment" / "mine.yaml").write_text(X + "name: ${nowhere.x}\nthreads: ${sed}\n")
    assert str(all_wrong(["experiment=mine", "seed=3"], configs)) == (
        "name=${nowhere.x} (configs/experiment/mine.yaml:3): there is no key nowhere.x; "
        "threads=${sed} (configs/experiment/mine.yaml:4): there is no key sed, did you mean seed?"
    )
