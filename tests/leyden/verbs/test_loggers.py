"""Runs of `train.py` as MLflow and Weights & Biases have them: real ones, in a database and in files."""

import csv
import json
import os
import signal
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, Completed, command, only_folder, started, train

from leyden.runs.safe_yaml import flat, load_plain

SHORT = ("experiment=xor", "trainer.max_epochs=40")
Points = dict[str, list[tuple[int, float]]]  # of each name, steps and values in the order in which they were logged


@pytest.fixture(scope="session", autouse=True)
def offline() -> None:
    for package in ("mlflow", "sqlalchemy", "alembic", "wandb"):
        pytest.importorskip(package, reason=f"{package} is not installed: pip install 'leyden[mlflow,wandb]'")
    for name in ("WANDB_API_KEY", "WANDB_MODE", "MLFLOW_TRACKING_URI"):
        os.environ.pop(name, None)
    os.environ.update({"NETRC": os.devnull, "MLFLOW_DISABLE_TELEMETRY": "true"})


def in_table(run: Path) -> Points:
    """The curves of `metrics.csv`."""
    points: Points = defaultdict(list)
    with (run / "metrics.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            for name in row.keys() - {"step"}:
                if row[name]:
                    points[name].append((int(row["step"]), float(row[name])))
    return dict(points)


def in_mlflow(logs: Path) -> list[tuple[Any, Points]]:
    """The runs of the one experiment, as they began, each with its curves."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{logs}/mlflow.db")
    (experiment,) = (each for each in client.search_experiments() if each.name != "Default")
    found = []
    for run in client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"]):
        points = {
            name: [(each.step, each.value) for each in client.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
        }
        found.append((run, points))
    return found


class InWandb:
    """What wandb keeps of a run in its folder, all parts of it one after the other."""

    def __init__(self, run: Path) -> None:
        from wandb_files import values, wandb_records

        self.files = sorted((run / "wandb").glob("offline-run-*/*.wandb"))
        self.points: Points = defaultdict(list)
        self.config: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.exit_codes: list[int] = []
        self.runs: list[Any] = []
        for record in (record for file in self.files for record in wandb_records(file)):
            kind = record.WhichOneof("record_type")
            if kind == "history":
                row = values(record.history.item)
                step = row.pop("trainer/global_step")
                for name in row.keys() - {"epoch"}:  # which wandb is told twice, with training and with validation
                    if not name.startswith(("_", "figures/")):
                        self.points[name].append((step, row[name]))
            elif kind == "summary":
                self.summary |= values(record.summary.update)
            elif kind == "config":
                self.config |= values(record.config.update)
            elif kind == "exit":
                self.exit_codes.append(record.exit.exit_code)
            elif kind == "run":
                self.runs.append(record.run)


def without(points: Points, *names: str) -> Points:
    return {name: points[name] for name in points.keys() - set(names)}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Completed]:
    """A run with all loggers, and what it printed."""
    logs = tmp_path_factory.mktemp("logs")
    completed = train(*SHORT, "logger=many", f"paths.log_dir={logs}")
    assert completed.returncode == 0, completed.stderr
    return only_folder(logs / "xor"), completed


@pytest.mark.slow
def test_a_run_with_all_loggers_says_where_it_is_and_nothing_else(many: tuple[Path, Completed]) -> None:
    run, completed = many
    (offline,) = (run / "wandb").glob("offline-run-*")
    log = (run / "train.log").read_text()
    assert f": wandb: offline; wandb sync {os.path.relpath(offline, PROJECT)}\n" in log
    assert f": mlflow: xor, {run.name} in sqlite:///{run.parents[1]}/mlflow.db\n" in log
    assert len([line for line in completed.stdout.splitlines() if "mlflow" in line or "wandb" in line]) == 2
    assert completed.stderr == ""
    assert sorted(path.name for path in run.parents[1].iterdir()) == ["mlflow", "mlflow.db", "xor"]


@pytest.mark.slow
def test_mlflow_has_what_the_run_folder_has(many: tuple[Path, Completed]) -> None:
    run, _ = many
    result, config = json.loads((run / "result.json").read_text()), load_plain(run / "config.yaml")
    ((found, points),) = in_mlflow(run.parents[1])
    assert (found.info.status, found.info.run_name) == ("FINISHED", run.name)
    assert without(points, "best/val/loss") == in_table(run)
    assert points["best/val/loss"] == [(160, result["monitor"]["value"])]
    assert without(found.data.metrics, "best/val/loss", "epoch") == result["metrics"]
    assert (
        found.data.tags.items()
        >= {
            "run_folder": str(run),
            "status": "finished",
            "best_checkpoint": "checkpoints/best.ckpt",
            "best_checkpoint_path": str(run / "checkpoints" / "best.ckpt"),
            "last_checkpoint": "checkpoints/last.ckpt",
            "last_checkpoint_path": str(run / "checkpoints" / "last.ckpt"),
        }.items()
    )
    params = flat({group: config[group] for group in ("seed", "model", "data", "optimizer", "trainer")})
    assert found.data.params == {name: str(value) for name, value in params.items()}


@pytest.mark.slow
def test_wandb_has_what_the_run_folder_has(many: tuple[Path, Completed]) -> None:
    run, _ = many
    result, config = json.loads((run / "result.json").read_text()), load_plain(run / "config.yaml")
    found = InWandb(run)
    assert found.points == without(in_table(run), "epoch")
    assert found.exit_codes == [0]
    assert [(each.project, each.display_name) for each in found.runs] == [("leyden", run.name)]
    assert found.summary.items() >= (result["metrics"] | {
        "status": "finished",
        "best/val/loss": result["monitor"]["value"],
        "best_checkpoint": "checkpoints/best.ckpt",
        "best_checkpoint_path": str(run / "checkpoints" / "best.ckpt"),
        "last_checkpoint": "checkpoints/last.ckpt",
    }).items()  # fmt: skip
    assert found.config.items() >= {name: config[name] for name in ("seed", "model", "data", "optimizer")}.items()


def stopped(run: "subprocess.Popen[str]", logs: Path, number: int) -> Path:
    """The folder of a run that was sent the signal once it had written the first row of its curves."""
    while not (rows := list(logs.glob("xor/*/metrics.csv"))):
        assert run.poll() is None, run.communicate()[1]
    run.send_signal(number)
    run.communicate()
    return rows[0].parent


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_goes_on_is_the_same_run_to_each(number: signal.Signals, tmp_path: Path) -> None:
    words = "experiment=xor", "trainer.max_epochs=3000", "trainer.check_val_every_n_epoch=1", "logger=many"
    run = stopped(started(*words, "checkpoint.every_n_steps=7", f"paths.log_dir={tmp_path}"), tmp_path, number)
    ((found, _),) = in_mlflow(tmp_path)
    assert found.info.status == {signal.SIGTERM: "KILLED", signal.SIGKILL: "RUNNING"}[number]
    if number == signal.SIGTERM:
        told = {"status": "interrupted"}
        for each in ("best", "last"):
            told |= {f"{each}_checkpoint": f"checkpoints/{each}.ckpt"}
            told |= {f"{each}_checkpoint_path": str(run / "checkpoints" / f"{each}.ckpt")}
        best = {"best/val/loss": json.loads((run / "result.json").read_text())["monitor"]["value"]}
        assert found.data.tags.items() >= told.items()
        assert found.data.metrics.items() >= best.items()
        assert InWandb(run).summary.items() >= (told | best).items()
    epochs = 5 + len(in_table(run)["val/loss"])
    completed = train(f"resume={run}", f"trainer.max_epochs={epochs}", "optimizer.lr=0.02")
    assert completed.returncode == 0, completed.stderr
    ((found, points),) = in_mlflow(tmp_path)
    table = in_table(run)
    assert [step for step, _ in table["val/loss"]] == list(range(3, 4 * epochs, 4))
    assert {name: [step for step, _ in points[name]] for name in table} == {
        name: [step for step, _ in table[name]] for name in table
    }
    assert found.info.status == "FINISHED"
    assert (found.data.params["optimizer.lr"], found.data.tags["optimizer.lr"]) == ("0.01", "0.02")
    in_wandb = InWandb(run)
    assert len(in_wandb.files) == 2
    assert len({each.run_id for each in in_wandb.runs}) == 1
    if number == signal.SIGTERM:
        assert points.items() >= table.items()
        assert in_wandb.points == without(table, "epoch")
        assert in_wandb.exit_codes == [255, 0]


@pytest.mark.slow
def test_jobs_side_by_side_share_one_new_database(tmp_path: Path) -> None:
    words = *SHORT, "logger=mlflow", "seed=range(4)", "hydra/launcher=local", "launcher.workers=4"
    completed = train("-m", *words, f"paths.log_dir={tmp_path}")
    assert completed.returncode == 0, completed.stderr
    sweep = only_folder(tmp_path / "xor" / "sweeps")
    runs = in_mlflow(tmp_path)
    assert sorted(run.info.run_name for run, _ in runs) == [f"{sweep.name}/{number}" for number in range(4)]
    for run, points in runs:
        result = json.loads((Path(run.data.tags["run_folder"]) / "result.json").read_text())
        assert run.info.status == "FINISHED"
        assert points["test/loss"] == [(160, result["metrics"]["test/loss"])]
        assert run.data.params["seed"] == Path(run.data.tags["run_folder"]).name


@pytest.mark.slow
def test_each_job_of_a_process_is_a_wandb_run_of_its_own(tmp_path: Path) -> None:
    completed = train("-m", *SHORT, "logger=[csv,wandb]", "seed=0,1", f"paths.log_dir={tmp_path}")
    assert completed.returncode == 0, completed.stderr
    sweep = only_folder(tmp_path / "xor" / "sweeps")
    jobs = [InWandb(sweep / number) for number in ("0", "1")]
    assert [job.exit_codes for job in jobs] == [[0], [0]]
    assert [job.points for job in jobs] == [without(in_table(sweep / number), "epoch") for number in ("0", "1")]
    assert [job.config["seed"] for job in jobs] == [0, 1]
    assert len({each.run_id for job in jobs for each in job.runs}) == 2


@pytest.mark.slow
def test_wandb_is_offline_where_the_command_says_so(tmp_path: Path) -> None:
    words = *SHORT, "logger=wandb", "logger.wandb.mode=offline", f"paths.log_dir={tmp_path}"
    completed = command("python", "train.py", *words, WANDB_API_KEY="0" * 40)
    assert completed.returncode == 0, completed.stderr
    assert InWandb(only_folder(tmp_path / "xor")).exit_codes == [0]


WITHOUT_EXTRAS = """
import sys
from importlib.machinery import PathFinder


class WithoutExtras(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in ("mlflow", "wandb") else super().find_spec(name, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutExtras
"""


@pytest.fixture
def without_extras(tmp_path: Path) -> dict[str, str]:
    """An environment in which mlflow and wandb are not installed."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_EXTRAS)
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}


@pytest.mark.parametrize(("words", "said"), [
    (["logger=many"], "logger.mlflow needs mlflow: pip install 'leyden[mlflow]'\nerror: logger.wandb needs wandb: pip "
                      "install 'leyden[wandb]'"),
    (["-m", "logger=wandb", "seed=0,1"], "logger.wandb needs wandb: pip install 'leyden[wandb]'"),
])  # fmt: skip
def test_an_extra_that_is_missing(words: list[str], said: str, without_extras: dict[str, str], tmp_path: Path) -> None:
    completed = command("python", "train.py", *SHORT, *words, f"paths.log_dir={tmp_path / 'logs'}", **without_extras)
    assert (completed.returncode, completed.stdout, completed.stderr) == (1, "", f"error: {said}\n")
    assert list((tmp_path / "logs").glob("**/*.yaml")) == []


def test_check_passes_over_what_needs_an_extra_that_is_missing(without_extras: dict[str, str]) -> None:
    completed = command("leyden", "check", "experiment=xor", CUDA_VISIBLE_DEVICES="", **without_extras)
    assert (completed.returncode, completed.stderr) == (0, "")
    assert "skipped: logger=mlflow: logger.mlflow needs mlflow: pip install 'leyden[mlflow]'\n" in completed.stdout


def test_a_run_with_the_default_loggers_imports_neither(tmp_path: Path) -> None:
    asked = "import sys, runpy, atexit; atexit.register(lambda: print({'mlflow', 'wandb'} & sys.modules.keys())); "
    words = f"['train.py', *{[*SHORT, f'paths.log_dir={tmp_path}']}]"
    completed = command("python", "-c", f"{asked} sys.argv = {words}; runpy.run_path('train.py', run_name='__main__')")
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.splitlines()[-1] == "set()"
