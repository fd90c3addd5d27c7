"""MLFlowLogger in a plain program, with a real database."""

import logging
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leyden.errors import UserError
from leyden.training.loggers import MLFlowLogger

for package in ("mlflow", "sqlalchemy", "alembic"):
    pytest.importorskip(package, reason=f"{package} is not installed: pip install 'leyden[mlflow]'")

pytestmark = pytest.mark.slow  # MLflow takes seconds to import, and to make its tables


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs") / "mlflow.db"


def logger_of(folder: str, database: Path) -> MLFlowLogger:
    return MLFlowLogger(database.parent / folder, "xor", f"sqlite:///{database}")


def curve(logger: MLFlowLogger, name: str) -> list[tuple[int, float]]:
    return [(each.step, each.value) for each in logger.experiment.get_metric_history(logger.run_id, name)]


def run_of(logger: MLFlowLogger) -> Any:
    return logger.experiment.get_run(logger.run_id)


def test_a_picture_is_kept_as_it_is(database: Path, tmp_path: Path) -> None:
    logger = logger_of("xor/pictures", database)
    picture = np.random.default_rng(0).integers(0, 256, (8, 12, 3)).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    logger.log_image("test/predictions", [str(tmp_path / "picture.png"), picture], step=7)
    files = sorted((database.parent / "mlflow" / "xor" / logger.run_id / "artifacts" / "images").glob("*.png"))
    for number, file in enumerate(files):
        assert file.name.startswith(f"test~predictions~{number}+step+7+")
        assert np.array_equal(np.asarray(Image.open(file)), picture)
    assert len(files) == 2


@pytest.mark.parametrize("folder", ["sine/2026-11-21", "it's a run", 'a "run"', "sweeps/2026-11-21_20-50-37/3"])
def test_a_second_logger_of_a_folder_goes_on_with_its_run(folder: str, database: Path) -> None:
    first = logger_of(folder, database)
    first.log_hyperparams({"optimizer": {"lr": 0.1}, "seed": 0})
    first.log_hyperparams({"hidden": 4})  # as Lightning calls it again, with the module's own
    for step in range(4):
        first.log_metrics({"loss": step / 4, "top@5": 1.0}, step)
    first.finalize("failed")
    second = logger_of(folder, database)
    second.log_hyperparams({"optimizer": {"lr": 0.2}, "seed": 0})
    second.begin()
    assert (run_of(second).info.run_id, run_of(second).info.status) == (first.run_id, "RUNNING")
    for step in range(2, 6):
        second.log_metrics({"loss": step / 4, "val/loss": 0.5}, step)
    second.finalize("success")
    assert curve(second, "loss") == [(step, step / 4) for step in range(6)]
    assert curve(second, "val/loss") == [(step, 0.5) for step in range(2, 6)]
    assert curve(second, "top_5") == [(step, 1.0) for step in range(4)]
    run = run_of(second)
    assert run.data.params == {"optimizer.lr": "0.1", "seed": "0"}
    assert run.data.tags["optimizer.lr"] == "0.2"
    assert (run.info.status, run.info.run_name) == ("FINISHED", "/".join(folder.split("/")[-2:]).removeprefix("sine/"))


def test_a_run_that_fails_before_its_first_step_is_none(database: Path) -> None:
    logger = logger_of("xor/failed", database)
    logger.log_hyperparams({"seed": 0})
    experiment = logger.experiment.get_experiment_by_name("xor").experiment_id
    before = len(logger.experiment.search_runs([experiment]))
    logger.finalize("failed")
    logger.close("failed")
    assert len(logger.experiment.search_runs([experiment])) == before


def test_values_are_kept_while_the_database_does_not_answer(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    logger = MLFlowLogger(database.parent / "xor/locked", "xor", f"sqlite:///{database}?timeout=0.1")
    logger.begin()
    with sqlite3.connect(database) as other, caplog.at_level(logging.WARNING, "leyden"):
        other.execute("BEGIN EXCLUSIVE")
        for step in range(3):
            logger.log_metrics({"loss": float(step)}, step)
        logger.flush()  # waits for a while
        assert len([each for each in caplog.records if each.name.startswith("leyden")]) == 1
        other.rollback()
    logger.log_metrics({"loss": 3.0}, 3)
    logger.close("finished")
    assert curve(logger, "loss") == [(step, float(step)) for step in range(4)]


def test_a_server_that_does_not_answer_is_refused_with_the_first_parameters(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UserError) as raised:
        MLFlowLogger(tmp_path, "xor", "http://localhost:9").log_hyperparams({"seed": 0})
    said = "start one there (mlflow server), or choose a file: tracking_uri=sqlite:///logs/mlflow.db"
    assert str(raised.value) == f"MLFlowLogger, http://localhost:9: no server answers; {said}"
    assert caplog.text == ""  # nothing of urllib3's trying once more


@pytest.mark.parametrize(("uri", "said"), [
    ("sqlite:////proc/none/mlflow.db", "MLFlowLogger, sqlite:////proc/none/mlflow.db: [Errno 2] No such file"),
    ("sqlite://logs/mlflow.db", "MLFlowLogger, sqlite://logs/mlflow.db: Invalid SQLite URL"),
    ("sqlite:///{none}", "MLFlowLogger, sqlite:///{none}: (sqlite3.DatabaseError) file is not a database"),
])  # fmt: skip
def test_what_is_no_database_is_refused(uri: str, said: str, tmp_path: Path) -> None:
    none = tmp_path / "mlflow.db"
    none.write_text("curves " * 1000)
    with pytest.raises(UserError) as raised:
        _ = MLFlowLogger(tmp_path, "xor", uri.format(none=none)).experiment
    assert str(raised.value).startswith(said.format(none=none))
