"""What all launchers have in common."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import PROJECT, command, train

WITHOUT_PLUGINS = """\
import sys
from leyden import cli
from leyden.sweeps import sweeper
sweeper.find_spec = lambda name: None
cli.main(["train", "-m", "experiment=xor", "seed=1,2", *sys.argv[1:]])
"""


@pytest.mark.parametrize(("launcher", "plugin"), [("slurm", "hydra-submitit-launcher"), ("ray", "ray")])
def test_a_missing_plugin_is_named_with_its_extra(launcher: str, plugin: str, tmp_path: Path) -> None:
    words = (f"hydra/launcher={launcher}", f"paths.log_dir={tmp_path}")
    refused = command("python", "-c", WITHOUT_PLUGINS, *words)
    message = f"error: hydra/launcher={launcher} needs {plugin}: pip install 'leyden[{launcher}]'\n"
    assert (refused.returncode, refused.stderr) == (1, message)


@pytest.mark.parametrize(
    ("script", "given", "said"),
    [
        ("slurm_ddp.sh", {}, "SLURM_JOB_NUM_NODES: is not set: SLURM runs this, call sbatch scripts/slurm_ddp.sh "),
        ("torchrun_ddp.sh", {}, "NODES: say on how many machines: MASTER=name-of-one:29500 NODES=2 "),
        ("torchrun_ddp.sh", {"NODES": "2"}, "MASTER: say where they meet: MASTER=name-of-one:29500 NODES=2 "),
    ],
)
def test_a_script_that_lacks_something_says_how_it_is_called(script: str, given: dict[str, str], said: str) -> None:
    words = ["bash", f"scripts/{script}", "experiment=xor"]
    path = {"PATH": os.environ["PATH"]}
    refused = subprocess.run(words, cwd=PROJECT, env=path | given, capture_output=True, text=True, check=False)
    assert refused.returncode
    assert refused.stderr.count("\n") == 1
    assert said in refused.stderr


@pytest.mark.parametrize(
    ("launcher", "key", "meant"),
    [
        ("slurm", "hydra.launcher.partitoin", "hydra.launcher.partition"),
        ("ray", "hydra.launcher.ray.remote.num_gpu", "hydra.launcher.ray.remote.num_gpus"),
        ("local", "hydra/lancher", "hydra/launcher"),
        ("local", "luncher.workers", "launcher.workers"),
    ],
)
def test_a_key_of_a_launcher_that_is_not_there_is_met_with_the_nearest(launcher: str, key: str, meant: str) -> None:
    refused = train("-m", "experiment=xor", "seed=1,2", f"hydra/launcher={launcher}", f"{key}=1")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: {key}: no such group or key, did you mean {meant}")
    assert re.fullmatch(r"error: .*\n(try: python train\.py -m .*\n)?", refused.stderr)


def test_slurm_that_is_not_there_or_does_not_answer_is_said_before_anything_begins(tmp_path: Path) -> None:
    tools, logs = tmp_path / "tools", tmp_path / "logs"
    words = ("-m", "experiment=xor", "seed=1,2", "hydra/launcher=slurm", f"paths.log_dir={logs}")
    tools.mkdir()
    without = train(*words, PATH=str(tools))
    for name in ("sbatch", "srun", "squeue", "scancel"):
        (tools / name).write_text("#!/bin/sh\necho squeue: error: first >&2\necho squeue: fatal: no host >&2\nexit 1\n")
        (tools / name).chmod(0o755)
    silent = train(*words, PATH=str(tools))
    for refused, why in (
        (
            without,
            "there is no sbatch on this machine's PATH; call it where SLURM takes jobs from, a login node say, or "
            "with hydra/launcher=local",
        ),
        (silent, "SLURM does not answer from here (squeue: fatal: no host)"),
    ):
        message = f"error: hydra/launcher=slurm: {why}\n"
        assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", message)
    assert not list(logs.iterdir())
