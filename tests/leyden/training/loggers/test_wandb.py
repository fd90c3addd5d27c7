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

DEAD = """
import logging, os, signal, sys
from pathlib import Path
from leyden.training.loggers import WandbLogger

logging.basicConfig(format="%(message)s", stream=sys.stdout)
logger = WandbLogger(sys.argv[1], mode="offline")
logger.log_metrics({"loss": 1.0}, 0)
(core,) = " ".join(file.read_text() for file in Path("/proc/self/task").glob("*/children")).split()
os.kill(int(core), signal.SIGKILL)
for step in range(1, 200):
    logger.log_metrics({"loss": 1.0}, step)
logger.log_summary({"status": "finished"})
logger.close("finished")
following = WandbLogger(sys.argv[1] + "/following", mode="offline")
following.log_metrics({"loss": 0.5}, 0)
following.close("finished")
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


def test_where_its_process_is_killed_the_training_goes_on_and_the_next_run_is_whole(tmp_path: Path) -> None:
    (tmp_path / "following").mkdir()
    completed = output(DEAD, str(tmp_path))
    said = "wandb: its process is gone; training goes on, and nothing more is sent to wandb\n"
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, said, "")
    (log,) = tmp_path.glob("following/wandb/offline-run-*/*.wandb")
    records = {record.WhichOneof("record_type"): record for record in wandb_records(log)}
    assert values(records["history"].history.item)["loss"] == 0.5
    assert records["exit"].exit.exit_code == 0


def test_a_server_that_does_not_answer_is_refused_and_the_way_out_named(tmp_path: Path) -> None:
    nowhere = {"WANDB_API_KEY": KEY, "WANDB_BASE_URL": "http://localhost:9", "WANDB_INIT_TIMEOUT": "1"}
    completed = output(PICTURE, str(tmp_path), HOME=str(tmp_path), **nowhere)
    line = completed.stderr.splitlines()[-1]
    assert line.startswith("leyden.errors.UserError: WandbLogger: ")
    assert 'Post "http://localhost:9/graphql"' in line
    assert line.endswith("; logger.wandb.mode=offline (or WANDB_MODE=offline) needs no server")


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
