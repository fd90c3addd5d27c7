"""What all launchers have in common."""

from pathlib import Path

import pytest
from conftest import command, train

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
