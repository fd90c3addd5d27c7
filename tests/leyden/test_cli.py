"""The command line as a shell sees it: what is typed, what is printed, what is left behind."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CONFIGS, EXPERIMENTS, PROJECT, called, command, leyden, train

from leyden.cli import VERBS


def test_help_names_every_group_and_every_experiment_and_gives_examples() -> None:
    shown = train("--help").stdout
    groups = [folder.name for folder in CONFIGS.iterdir() if folder.is_dir()]
    assert [group for group in groups if not re.search(rf"^  {group} +\w", shown, re.MULTILINE)] == []
    assert f"experiment: {', '.join(EXPERIMENTS)}" in shown
    assert len(re.findall(r"^  python train\.py", shown, re.MULTILINE)) == 5
    assert leyden("train", "--help").stdout == shown


@pytest.mark.parametrize("words", [
    ["train", "--help"],
    ["train", "experiment=xor", "--cfg", "job"],
    ["train", "experiment=xorr"],
    ["train", "trainer.max_epochs=ten"],
    ["train", "-seed=1"],
    ["check", "experiment=xorr"],
])  # fmt: skip
def test_questions_and_misspelt_names_are_answered_without_torch(words: list[str]) -> None:
    probe = (
        "import sys; from pathlib import Path; from leyden.cli import main\n"
        f"try: main({words}, project=Path('.'))\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    assert command("python", "-c", probe).stdout.splitlines()[-1] == "False"


def test_leyden_without_a_verb_lists_the_verbs() -> None:
    assert leyden().stdout == leyden("--help").stdout
    assert [verb for verb in VERBS if f"  leyden {verb} " not in leyden().stdout] == []


BAD_INPUT = {
    "experiment=xorr": r"experiment=xorr: no such option, did you mean xor\? \(there are: .*, xor_linear\); try: .*",
    "experimnt=xor": r"experimnt: no such group or key, did you mean experiment\?.*",
    "modle=simple_net": r"modle: no such group or key, did you mean model\?.*",
    "optimizer.lrr=1": r"optimizer\.lrr: no such group or key, did you mean optimizer\.lr\?.*",
    "optimizer.momentum=1": r"optimizer\.momentum: no such .*; there is one with optimizer=muon and optimizer=sgd .*",
    "data.batch_size=0": r"data \(lab\.data\.XORDataModule\): batch_size must be at least 1, not 0",
    "optimizer.lr=-1": r"optimizer \(torch\.optim\.Adam\): Invalid learning rate: -1",
    "model.hidden_activation=tanhh": r"model \(lab\.models\.SimpleNet\): no activation is called 'tanhh': .*",
    "trainer=gpu": r"trainer\.accelerator=gpu \(configs/trainer/gpu\.yaml:2\): torch finds no GPU on this machine; .*",
    "checkpoint.every_n_steps=0": r"callbacks\.last \(leyden.*\): every_n_steps must be a whole number above 0.* not 0",
    "checkpoint.every_n_minutes=0": r"callbacks\.last \(.*\): every_n_minutes must be a number above 0.* not 0",
    "checkpoint.every_n_minutes=abc": r"checkpoint\.every_n_minutes=abc: must be a number",
    "seed=-1": r"seed=-1: must be a whole number from 0 to 4294967295",
    "seed=1,2": r"seed=1,2: several values take -m, a list is .*; try: python train\.py -m seed=1,2 paths\.log_dir=.*",
    "trainer.max_epochs=ten": r"trainer\.max_epochs=ten: must be a number",
}


@pytest.mark.parametrize("override", BAD_INPUT)
def test_bad_input_is_answered_in_one_line_and_leaves_nothing(override: str, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    completed = train(override, f"paths.log_dir={logs}", CUDA_VISIBLE_DEVICES="")
    assert completed.returncode == 1
    assert re.fullmatch(f"error: {BAD_INPUT[override]}\n", completed.stderr)
    assert list(logs.rglob("*")) == []


def test_a_config_that_asks_for_a_sweep_is_told_how(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "configs", tmp_path / "configs")
    (tmp_path / "src").symlink_to(PROJECT / "src")
    shutil.copy(PROJECT / "train.py", tmp_path)
    (tmp_path / "configs" / "experiment" / "many.yaml").write_text("# @package _global_\nhydra: {mode: MULTIRUN}\n")
    completed = command("python", "train.py", "experiment=many", cwd=tmp_path)
    assert completed.returncode == 1
    assert completed.stderr == "error: hydra.mode=MULTIRUN in a config has no effect here: type -m\n"


def test_who_has_read_enough_of_what_a_verb_prints_is_told_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = sys.executable, "-c", "from leyden.cli import main; main(['completion', 'bash'])"
    completed = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (completed.returncode, completed.stderr) == (0, "")


def test_what_is_for_sweeps_alone_takes_a_sweep() -> None:
    completed = train("hydra/launcher=local", "launcher.workers=2")
    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr == (
        "error: hydra/launcher=local: says how a sweep is run, and -m runs one\n"
        "error: launcher.workers=2: says how a sweep is run, and -m runs one\n"
        "try: python train.py -m hydra/launcher=local launcher.workers=2\n"
    )


def test_a_missing_data_folder_is_said_with_both_ways_out(tmp_path: Path) -> None:
    """A proxy that is not there stands for a machine without a network."""
    logs, data = tmp_path / "logs", tmp_path / "data"
    nowhere = "http://127.0.0.1:9"
    completed = train(
        "experiment=cifar10", f"paths.log_dir={logs}", f"paths.data_dir={data}", http_proxy=nowhere, https_proxy=nowhere
    )
    assert completed.returncode == 1
    assert re.fullmatch(
        rf"error: no CIFAR-10: {data}/cifar10\.safetensors is not there, and downloading it failed \(.*\); "
        r"put that file there \(paths\.data_dir=DIR names another folder\), or run once with a network\n",
        completed.stderr,
    )
    assert list(logs.rglob("*")) == []
    assert not data.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    completed = train("experiment=xor", f"paths.log_dir={tmp_path}/logs")
    assert completed.returncode == 1
    assert re.fullmatch(rf"error: \[Errno 20\] Not a directory: '{tmp_path}/logs/xor/.*'\n", completed.stderr)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trin"], f"leyden has no verb 'trin', did you mean train? (there are: {', '.join(VERBS)})"),
        (["evaluate", "no"], "no: there is no such folder; a run folder looks like logs/xor/2026-11-21_19-03-00"),
        (["evaluate", "src"], "src is not a run folder: it holds no config.yaml"),
        (
            ["evaluate", "train.py"],
            "train.py is a file: name the run folder that it is in (evaluate, predict and export take the file as "
            "checkpoint=train.py)",
        ),
        (
            ["train", "xor"],
            "xor: an override is GROUP=OPTION or KEY=VALUE, did you mean experiment=xor? "
            "Try: leyden train experiment=xor",
        ),
        (
            ["train", "--experiment", "xor"],
            "--experiment: no such flag; overrides are written without dashes: experiment=...; "
            "try: leyden train experiment=xor",
        ),
        (
            ["train", "hydra/launcher=slrm"],
            "hydra/launcher=slrm: no such option, did you mean slurm? (there are: basic, local, ray, slurm, "
            "submitit_local, submitit_slurm); try: leyden train -m hydra/launcher=slurm",
        ),
        (
            ["train", "--config-name=trian"],
            "--config-name=trian: there is no such file in configs/, did you mean train? "
            "Try: leyden train --config-name=train",
        ),
        (["train", "resume=src"], "src is not a run folder: it holds no config.yaml"),
        (["train", "resume="], "no run folder is named; one looks like logs/xor/2026-11-21_19-03-00"),
        (["train", "rerun="], "no run folder is named; one looks like logs/xor/2026-11-21_19-03-00"),
        (["check", "experiment=xor", "experiment=sine"], "experiment=xor experiment=sine: experiment is given twice"),
        (["train", "rerun=no"], "no: there is no such folder; a run folder looks like logs/xor/2026-11-21_19-03-00"),
        (["runs", "src"], "src: no run is there"),
        (["runs", "no"], "no: there is no such folder"),
        (["diff", "src"], "leyden diff takes A B, then KEY=VALUE; given: src"),
    ],
)
def test_verbs_answer_bad_input_in_one_line(words: list[str], message: str) -> None:
    completed = called(*words)
    assert (completed.returncode, completed.stdout, completed.stderr) == (1, "", f"error: {message}\n")


def test_light_verbs_import_no_torch() -> None:
    probe = (
        "import sys; from leyden.cli import main\n"
        "folders = [['runs', 'src'], ['report', 'src']]\n"
        "for words in (*folders, ['predict', '--help'], ['export', 'x', 'format=y'], ['--help']):\n"
        "    try: main(words)\n"
        "    except SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    assert command("python", "-c", probe).stdout.splitlines()[-1] == "False"


def test_a_flag_may_stand_anywhere_and_paths_are_those_of_the_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for name in ("src", "configs", "train.py"):
        (project / name).symlink_to(PROJECT / name)
    (project / "notebooks").mkdir()
    completed = command(
        *("leyden", "train", "experiment=xor", "trainer.max_epochs=10", "-m", "seed=1,2"), cwd=project / "notebooks"
    )
    assert completed.returncode == 0, completed.stderr
    assert len(list(project.glob("logs/xor/sweeps/*/*/result.json"))) == 2
    assert list((project / "notebooks").iterdir()) == []
