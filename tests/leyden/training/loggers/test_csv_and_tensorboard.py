import csv
import io
import json
import re
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard import program
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from leyden.training.loggers import CSVLogger, TensorBoardLogger

RUNS = ["xor/rate_0.01", "xor/rate_0.1"]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_logged_at_one_step_becomes_one_row(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    logger.log_metrics({"val/loss": 0.5}, step=3)
    logger.log_metrics({"train/loss": 0.25}, step=3)
    logger.log_metrics({"val/loss": 0.125}, step=7)
    logger.finalize("success")
    assert rows(tmp_path) == [
        {"step": "3", "val/loss": "0.5", "train/loss": "0.25"},
        {"step": "7", "val/loss": "0.125", "train/loss": ""},
    ]


def test_a_name_that_comes_later_is_a_new_column(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    logger.log_metrics({"train/loss": 1.0}, step=0)
    logger.log_metrics({"train/loss": 0.5}, step=1)
    logger.save()  # writes step 0: step 1 may not be complete
    assert rows(tmp_path) == [{"step": "0", "train/loss": "1.0"}]
    logger.log_metrics({"test/loss": 2.0}, step=2)
    logger.finalize("success")
    assert rows(tmp_path) == [
        {"step": "0", "train/loss": "1.0", "test/loss": ""},
        {"step": "1", "train/loss": "0.5", "test/loss": ""},
        {"step": "2", "train/loss": "", "test/loss": "2.0"},
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.csv"]


def test_a_second_logger_continues_the_table_of_the_first(tmp_path: Path) -> None:
    for step in (1, 2):
        logger = CSVLogger(tmp_path)
        logger.log_metrics({"loss": float(step)}, step=step)
        logger.finalize("success")
    assert rows(tmp_path) == [{"step": "1", "loss": "1.0"}, {"step": "2", "loss": "2.0"}]


def test_a_picture_is_the_file_or_the_pixels_that_were_given(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 3)).astype(np.uint8)
    file = tmp_path / "picture.png"
    Image.fromarray(pixels).save(file)
    logger = TensorBoardLogger(tmp_path)
    logger.log_image("one", [str(file)], step=7)
    logger.log_image("both", [str(file), pixels], step=8)
    logger.close("finished")
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    logged = {tag: events.Images(tag)[0] for tag in events.Tags()["images"]}
    assert {tag: (each.step, each.width, each.height) for tag, each in logged.items()} == {
        "one": (7, 12, 8), "both_0": (8, 12, 8), "both_1": (8, 12, 8),
    }  # fmt: skip
    assert logged["one"].encoded_image_string == logged["both_0"].encoded_image_string == file.read_bytes()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(logged["both_1"].encoded_image_string))), pixels)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a real TensorBoard over two runs."""
    logs = tmp_path_factory.mktemp("logs")
    for rate, loss, status in ((0.1, 0.5, "success"), (0.01, 0.75, "failed")):
        logger = TensorBoardLogger(logs / "xor" / f"rate_{rate}")
        logger.log_hyperparams({"optimizer": {"lr": rate}, "model": {"_target_": "lab.models.SimpleNet"}})
        logger.log_hyperparams({"hidden": 4})  # as Lightning calls it again, with the module's own
        logger.log_metrics({"val/loss": 1.0}, step=0)
        logger.log_metrics({"val/loss": loss, "epoch": 1}, step=1)
        logger.log_text("config", f"```yaml\nlr: {rate}\n```")
        logger.finalize(status)
        logger.finalize(status)  # once more, after the test
    board = program.TensorBoard()
    board.configure(argv=["", "--logdir", str(logs), "--port", "0", "--load_fast", "false"])
    return board.launch()


def asked(url: str, question: dict[str, object] | None = None) -> object:
    data = None if question is None else json.dumps(question).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_tensorboard_shows_each_run_under_the_path_of_its_folder(served: str) -> None:
    assert sorted(asked(f"{served}data/runs")) == RUNS


def test_curves_are_those_that_were_logged_but_not_the_epoch(served: str) -> None:
    tags = asked(f"{served}data/plugin/scalars/tags")
    assert {run: list(each) for run, each in tags.items()} == {run: ["val/loss"] for run in RUNS}


def test_the_text_tab_shows_what_was_logged_as_text(served: str) -> None:
    assert asked(f"{served}data/plugin/text/tags") == {run: ["config"] for run in RUNS}
    (text,) = asked(f"{served}data/plugin/text/text?run=xor/rate_0.1&tag=config")
    assert (text["step"], re.sub("<[^>]*>", "", text["text"]).strip()) == (0, "lr: 0.1")


def test_the_hparams_tab_shows_the_real_metric_beside_the_hyperparameters(served: str) -> None:
    experiment = asked(f"{served}data/plugin/hparams/experiment", {"experimentName": ""})
    assert sorted(hparam["name"] for hparam in experiment["hparamInfos"]) == ["model._target_", "optimizer.lr"]
    question = {
        "experimentName": "",
        "allowedStatuses": ["STATUS_SUCCESS", "STATUS_UNKNOWN", "STATUS_RUNNING", "STATUS_FAILURE"],
        "colParams": [{"metric": {"tag": "val/loss", "group": ""}}, {"hparam": "optimizer.lr"}],
        "startIndex": 0,
        "sliceSize": 10,
    }
    groups = asked(f"{served}data/plugin/hparams/session_groups", question)["sessionGroups"]
    shown = {
        group["hparams"]["optimizer.lr"]: {metric["name"]["tag"]: metric["value"] for metric in group["metricValues"]}
        for group in groups
    }
    assert shown == {0.1: {"val/loss": 0.5}, 0.01: {"val/loss": 0.75}}
    statuses = {group["hparams"]["optimizer.lr"]: group["sessions"][0]["status"] for group in groups}
    assert statuses == {0.1: "STATUS_SUCCESS", 0.01: "STATUS_UNKNOWN"}
