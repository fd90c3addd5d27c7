import resource
import shutil
from pathlib import Path

import pytest
from conftest import PROJECT, command

from leyden.cli import VERBS
from leyden.completion.words import FLAGS, INFO, SHOWN, completions
from leyden.config.spelling import FLAGS as OF_HYDRA


def answered(line: str) -> list[str]:
    return completions(line, VERBS)


MUON = ["bias_scale", "fixed_norm", "head_scale", "lr", "momentum", "ns_steps", "sgd_momentum", "weight_decay"]
KNOWN = {
    "leyden ev": "evaluate",
    "LEYDEN_DATA_DIR=/data leyden ev": "evaluate",
    "leyden nonsense ": "",
    "leyden train experiment=sine_": "experiment=sine_linear experiment=sine_raw",
    "python train.py exper": "experiment=",
    "python train.py optim": "optimizer. optimizer=",
    "python train.py optimizer.l": "optimizer.lr=",
    "python train.py optimizer.": "optimizer.lr=",
    "python train.py optimizer=muon optimizer.": " ".join(f"optimizer.{key}=" for key in MUON),
    "python train.py experiment=cifar10 model.n": "model.norm_scales=",
    "python train.py experiment=cifar10_fast trainer.b": "trainer.benchmark=",
    "python train.py trainer.profiler.": "",
    "python train.py debug=profiler trainer.profiler.": "trainer.profiler.dirpath= trainer.profiler.filename=",
    "python train.py callbacks.be": "callbacks.best.",
    "python train.py model._": "model._target_=",
    "python train.py -m optimizer=adam,s": "optimizer=adam,sgd",
    "python train.py -m optimizer=adamw,sgd optimizer.nes": "optimizer.nesterov=",
    "python train.py callbacks=[early_stopping,l": "callbacks=[early_stopping,lr_monitor",
    "python train.py ~sched": "~scheduler",
    "python train.py ++optimizer.l": "++optimizer.lr=",
    "python train.py +optimizer.l": "",  # is there already
    "python train.py +optimizer.p": "",  # given when training begins
    "python train.py +optimizer=adam +optimizer.am": "+optimizer.amsgrad=",
    "python train.py +trainer.lim": " ".join(
        f"+trainer.limit_{stage}_batches=" for stage in ("predict", "test", "train", "val")
    ),
    "python train.py +trainer.log": "+trainer.log_every_n_steps=",
    "python train.py trainer.limit_t": "",
    "python train.py callbacks=early_stopping +callbacks.early_stopping.str": "+callbacks.early_stopping.strict=",
    "python train.py model._target_=lab.nowhere.Net +model.": "",
    "python train.py 'optimizer.l": "optimizer.lr=",
    "python train.py strict=": "strict=false strict=true",
    "python train.py seed=": "",
    "python train.py hydra/launcher=": " ".join(
        f"hydra/launcher={each}" for each in ("basic", "local", "ray", "slurm")
    ),
    "python train.py hydra=": "hydra=default",
    "python train.py hydra/launcher=slurm hydra.launcher.part": "hydra.launcher.partition=",
    "python train.py --m": "--multirun",
    "python train.py --cfg ": "all hydra job",
    "leyden export logs/x ": "checkpoint= force= format= output=",
    "leyden export logs/x format=": "format=onnx format=safetensors format=torch_export",
    "leyden export logs/x force=t": "force=true",
    "leyden export logs/x checkpoint=bes": "checkpoint=best",
    "leyden predict logs/x input=pyp": "input=pyproject.toml",
    "leyden predict logs/x input=configs/mod": "input=configs/model/",
    "leyden evaluate logs/x data.b": "data.batch_size=",
    "leyden runs sort=v": "sort=value",
    "leyden check experiment=xo": "experiment=xor experiment=xor_linear",
    "leyden diff --h": "--help",
    "leyden completion ": "bash fish zsh",
}


def test_its_flags_are_those_of_hydra() -> None:
    assert set(FLAGS) == OF_HYDRA.keys()
    assert (set(SHOWN), set(INFO)) == (set(OF_HYDRA["--cfg"].choices), set(OF_HYDRA["--info"].choices))


@pytest.mark.parametrize("line", KNOWN)
def test_known_answers(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    assert " ".join(answered(line)) == KNOWN[line]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a run, and a sweep of two jobs."""
    shutil.copytree(PROJECT / "configs", tmp_path / "configs", ignore=shutil.ignore_patterns("local"))
    for run in ("xor/2026-11-21", "xor/sweeps/2026-11-22/0", "xor/sweeps/2026-11-22/1"):
        (tmp_path / "logs" / run / ".hydra").mkdir(parents=True)
        (tmp_path / "logs" / run / "checkpoints").mkdir()
        (tmp_path / "logs" / run / "config.yaml").touch()
        (tmp_path / "logs" / run / ".hydra" / "overrides.yaml").write_text("[experiment=xor, optimizer=muon]\n")
    (tmp_path / "logs" / "xor" / "sweeps" / "2026-11-22" / "multirun.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_is_named_by_its_folder_and_a_sweep_stands_for_its_jobs(project: Path) -> None:
    both = ["logs/xor/2026-11-21", "logs/xor/sweeps/2026-11-22/"]
    assert answered("leyden evaluate ") == answered("leyden evaluate logs/x") == both
    assert answered("leyden diff logs/xor/2026-11-21 ") == both
    assert answered(f"leyden evaluate {both[1]}") == [f"{both[1]}0", f"{both[1]}1"]
    assert answered("python train.py resume=") == [f"resume={each}" for each in both]
    assert answered("python train.py sweep.resume=") == [f"sweep.resume={both[1]}"]


def test_elsewhere_one_folder_is_looked_into_at_a_time(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "archive" / "deep" / "run").mkdir(parents=True)
    assert answered("leyden evaluate arch") == ["archive/"]
    assert answered("leyden evaluate archive/") == ["archive/deep/"]
    monkeypatch.chdir(project / "configs")
    assert answered("leyden evaluate ") == ["../logs/xor/2026-11-21", "../logs/xor/sweeps/2026-11-22/"]


def test_a_run_has_the_keys_of_the_words_it_was_started_with(project: Path) -> None:
    assert answered("leyden evaluate logs/xor/2026-11-21 optimizer.n") == ["optimizer.ns_steps="]
    assert answered("python train.py rerun=logs/xor/2026-11-21 optimizer.n") == ["optimizer.ns_steps="]
    assert answered("python train.py rerun=logs/xor/2026-11-21 optimizer=sgd optimizer.n") == ["optimizer.nesterov="]


def test_an_experiment_and_a_group_that_were_just_written_are_known(project: Path) -> None:
    (project / "configs" / "experiment" / "mine").mkdir()
    (project / "configs" / "experiment" / "mine" / "first.yaml").write_text("# @package _global_\nmine: {rate: 1}\n")
    assert answered("python train.py experiment=mi") == ["experiment=mine/first"]
    assert answered("python train.py experiment=mine/first mine.") == ["mine.rate="]
    assert answered(f"python {project}/train.py experiment=mi") == ["experiment=mine/first"]


def test_outside_of_a_project_the_verbs_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert answered("leyden train optim") == []
    assert answered("leyden export x form") == ["format="]


def test_an_answer_takes_under_0_3_seconds_of_cpu_time() -> None:
    def seconds() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    taken = []
    for _ in range(3):
        before = seconds()
        assert command("leyden", "_complete", "leyden train experiment=cifar10_fast +trainer.").returncode == 0
        taken.append(seconds() - before)
    assert min(taken) < 0.3


def test_an_answer_imports_no_hydra() -> None:
    probe = (
        "import sys; from leyden.cli import main; main(['_complete', 'leyden train +optimizer.am'])\n"
        "print({'torch', 'lightning', 'hydra', 'omegaconf', 'rich'} & set(sys.modules))"
    )
    assert command("python", "-c", probe).stdout == "+optimizer.amsgrad=\nset()\n"
