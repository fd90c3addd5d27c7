"""WandbLogger in programs of their own, offline: what wandb reads of its environment, it reads once in a process."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from wandb_files import values, wandb_records

pytest.importorskip("wandb", reason="wandb is not installed: pip install 'leyden[wandb]'")

pytestmark = pytest.mark.slow

KEY = "0" * 40

PICTURE = """
import numpy as np, sys
from leyden.training.loggers import WandbLogger

logger = WandbLogger(sys.argv[1])
logger.log_hyperparams({"optimizer": {"lr": 0.1}})
logger.log_hyperparams({"hidden": 4})
logger.log_image("test/predictions", [np.arange(288, dtype=np.uint8).reshape(8, 12, 3)], step=7)
logger.close("failed")
"""

MODE = """
import sys
from leyden.training.loggers.wandb import _mode

print(_mode(sys.argv[1] or None))
"""


def output(program: str, argument: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return subprocess.run(
        [sys.executable, "-c", program, argument],
        env=kept | {"NETRC": os.devnull} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_picture_and_the_first_parameters_are_kept(tmp_path: Path) -> None:
    completed = output(PICTURE, str(tmp_path))
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, "", "")
    (file,) = tmp_path.glob("wandb/offline-run-*/files/media/images/test/*.png")
    assert np.array_equal(np.asarray(Image.open(file)), np.arange(288, dtype=np.uint8).reshape(8, 12, 3))
    (log,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    records = {record.WhichOneof("record_type"): record for record in wandb_records(log)}
    assert values(records["config"].config.update) == {"optimizer": {"lr": 0.1}}
    assert values(records["history"].history.item)["trainer/global_step"] == 7
    assert records["exit"].exit.exit_code == 1


@pytest.mark.parametrize(("asked", "environment", "mode"), [
    ("", {}, "offline"),
    ("", {"WANDB_API_KEY": KEY}, "online"),
    ("", {"WANDB_API_KEY": KEY, "WANDB_MODE": "offline"}, "offline"),
    ("", {"WANDB_MODE": "disabled"}, "disabled"),
    ("offline", {"WANDB_API_KEY": KEY}, "offline"),
    ("disabled", {}, "disabled"),
])  # fmt: skip
def test_it_is_online_only_where_there_is_a_key_and_nobody_said_otherwise(
    asked: str, environment: dict[str, str], mode: str, tmp_path: Path
) -> None:
    completed = output(MODE, asked, HOME=str(tmp_path), **environment)
    assert (completed.stdout, completed.stderr) == (f"{mode}\n", "")


def test_a_key_in_netrc_is_one(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text(f"machine api.wandb.ai login user password {KEY}\n")
    assert output(MODE, "", NETRC=str(tmp_path / "netrc")).stdout == "online\n"


def test_online_without_a_key_is_refused_without_a_question(tmp_path: Path) -> None:
    completed = output(MODE, "online", HOME=str(tmp_path))
    said = "WandbLogger: mode=online needs a key (wandb login, or WANDB_API_KEY); mode=offline needs none"
    assert completed.stderr.splitlines()[-1] == f"leyden.errors.UserError: {said}"
