"""What all launchers have in common."""

from pathlib import Path

import pytest
from conftest import command

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
