"""Searches by real commands, in processes that are killed, and side by side."""

import json
import os
import re
import signal
import time
from collections.abc import Collection
from itertools import islice, product
from pathlib import Path
from typing import Any

import pytest
from conftest import Completed, called, command, started, train
from omegaconf import OmegaConf
from run_folders import as_trial, begun, write_run

from leyden.config.app import HOME
from leyden.runs.folder import RunFolder
from leyden.sweeps.importance import importances
from leyden.sweeps.summary import summarize

optuna = pytest.importorskip("optuna", reason="sweep=optuna needs Optuna: pip install 'leyden[sweeps]'")
pytest.importorskip("cmaes", reason="sweep.sampler=cmaes needs cmaes: pip install 'leyden[sweeps]'")

from optuna.distributions import CategoricalDistribution, IntDistribution  # noqa: E402
from optuna.storages import JournalStorage  # noqa: E402
from optuna.storages.journal import JournalFileBackend  # noqa: E402

from leyden.sweeps.space import space_of  # noqa: E402
from leyden.sweeps.study import Study  # noqa: E402
from leyden.sweeps.trial import pruner_of, storage_of  # noqa: E402

RATE = "optimizer.lr=interval(1e-4,1e-1,log)"
SIZE = "model.hidden_features=range(2,9)"
SHORT = ("experiment=xor", "trainer.max_epochs=2", "trainer.check_val_every_n_epoch=1", "logger=csv")


def words(folder: Path, *more: str) -> list[str]:
    return ["-m", "sweep=optuna", *SHORT, f"paths.log_dir={folder.parent}", f"hydra.sweep.dir={folder}", *more]


def search(folder: Path, *more: str) -> Completed:
    completed = train(*words(folder, *more))
    assert completed.returncode == 0, completed.stderr
    return completed


def trials(folder: Path) -> list[Any]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(folder / "study.log")))
    return list(optuna.load_study(study_name=None, storage=storage).trials)


def came_to(folder: Path) -> list[tuple[str, dict[str, Any], list[float] | None]]:
    return [(trial.state.name, trial.params, trial.values) for trial in trials(folder)]


def result(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "result.json").read_text()))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search by CMA-ES, of which each trial but the first depends on those before."""
    folder = tmp_path_factory.mktemp("logs") / "unbroken"
    search(folder, RATE, SIZE, "sweep.sampler=cmaes", "sweep.n_trials=6")
    return folder


def test_trials_are_the_jobs_and_their_values_the_best_monitored(unbroken: Path) -> None:
    found = trials(unbroken)
    assert [trial.number for trial in found] == list(range(6))
    assert [trial.state.name for trial in found] == ["COMPLETE"] * 6
    assert [trial.value for trial in found] == [result(unbroken / str(n))["monitor"]["value"] for n in range(6)]
    assert all(1e-4 <= trial.params["optimizer.lr"] <= 1e-1 for trial in found)
    assert {trial.params["model.hidden_features"] for trial in found} <= set(range(2, 9))


def test_a_search_that_is_killed_goes_on_with_the_trials_that_it_would_have_made(
    unbroken: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    process = started(*words(folder, RATE, SIZE, "sweep.sampler=cmaes", "sweep.n_trials=6"))
    assert process.stdout
    for line in process.stdout:
        if line.startswith("job 3 begins"):
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert [trial.state.name for trial in trials(folder)] == ["COMPLETE"] * 3 + ["RUNNING"]
    resumed = train(f"sweep.resume={folder}")
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert resumed.stdout.startswith("6 trials, of which 3 are done")
    assert came_to(folder) == came_to(unbroken)


@pytest.mark.slow
def test_two_processes_visit_each_point_of_a_grid_once(tmp_path: Path) -> None:
    """Together, without waiting for each other, and no more trials than there are points."""
    folder = tmp_path / "shared"
    points = "optimizer.lr=0.1,0.01", "model.hidden_features=range(2,5)"
    first = started(*words(folder, *points, "sweep.sampler=grid", "trainer.max_epochs=80"))
    while not (folder / "multirun.yaml").is_file():
        assert first.poll() is None
        time.sleep(0.05)
    second = started(f"sweep.resume={folder}")
    outputs = [process.communicate()[0] for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0], outputs
    begun = [int(line.split()[1]) for output in outputs for line in output.splitlines() if " begins: " in line]
    assert sorted(begun) == list(range(6))
    assert [tuple(trial.params.values()) for trial in trials(folder)] == list(product(["0.1", "0.01"], [2, 3, 4]))
    assert [trial.state.name for trial in trials(folder)] == ["COMPLETE"] * 6


def test_a_run_that_does_worse_is_pruned_and_its_test_left_out(tmp_path: Path) -> None:
    """A rate of 1e-12 learns nothing; the median needs five runs that finished."""
    folder = tmp_path / "pruned"
    rates = "optimizer.lr=choice(0.1,0.09,0.08,1e-12)"
    search(folder, rates, "sweep.sampler=random", "sweep.pruner=median", "sweep.n_trials=10", "trainer.max_epochs=6")
    found = trials(folder)
    assert [result(folder / str(number))["status"] for number in range(5)] == ["finished"] * 5
    useless = [trial for trial in found[5:] if trial.params["optimizer.lr"] == "1e-12"]
    assert useless
    for trial in useless:
        run = result(folder / str(trial.number))
        assert (run["status"], trial.state.name) == ("pruned", "PRUNED")
        assert list(trial.intermediate_values) == list(range(1, run["epochs"] + 1))
        assert 1 <= run["epochs"] < 6
        assert run["monitor"]["value"] == min(trial.intermediate_values.values())
        assert not any(name.startswith("test/") for name in run["metrics"])
    report = pruner_of(RunFolder(folder / str(useless[0].number)))  # outside of its sweep
    assert report is not None
    assert report(1e9, 1) is False


@pytest.mark.slow
def test_several_objectives_several_workers_and_a_database(tmp_path: Path) -> None:
    folder, url = tmp_path / "several", f"sqlite:///{tmp_path / 'studies.db'}"
    more = "sweep.objectives={val/loss:min,val/accuracy:max}", "hydra/launcher=local", "launcher.workers=2"
    search(folder, RATE, *more, "sweep.sampler=nsgaii", "sweep.n_trials=3", f"sweep.storage={url}")
    study = optuna.load_study(study_name=f"xor/{folder.name}", storage=url)
    assert [direction.name for direction in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert len(study.trials) == 3
    for trial in study.trials:
        metrics = result(folder / str(trial.number))["metrics"]
        assert trial.values == [metrics["val/loss"], metrics["val/accuracy"]]
    assert not (folder / "study.log").exists()


def test_a_database_has_its_place_in_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME, str(tmp_path))
    optuna.create_study(storage=storage_of(tmp_path / "sweep", "sqlite:///studies.db"), study_name="here")
    assert optuna.get_all_study_names(f"sqlite:///{tmp_path}/studies.db") == ["here"]


def study_in(folder: Path, configured: dict[str, str], **settings: Any) -> Study:
    sweep = {"n_trials": 30, "sampler": "tpe", "seed": 0, "pruner": "none", "objectives": None, "storage": None}
    config = {"name": "bowl", "monitor": {"metric": "val/loss", "mode": "min"}, "sweep": sweep | settings}
    config["trainer"] = {"max_epochs": 27, "check_val_every_n_epoch": 3}
    folder.mkdir(exist_ok=True)
    study = Study(OmegaConf.create(config), folder, space_of([], configured))
    study.open()
    return study


def distance(study: Study, most: int = 30) -> float:
    """Lets a search find the middle of a bowl, without training; how far off the best was."""
    for job in islice(iter(study.next_job, None), most):
        values = json.loads((job.run.path / "trial.json").read_text())["values"]
        loss = sum((float(value) - 3) ** 2 for value in values.values())
        job.run.write_result({"format": 1, "status": "finished", "monitor": {"value": loss}, "metrics": {}})
        study.tell(job)
    assert [trial.number for trial in study.study.trials] == list(range(most))
    return float(study.study.best_value)


@pytest.mark.parametrize(("sampler", "most"), [("tpe", 1.0), ("cmaes", 1.0), ("random", 8.0), ("nsgaii", 8.0)])
def test_samplers_search_and_go_on_as_if_never_stopped(tmp_path: Path, sampler: str, most: float) -> None:
    bowl = {"x": "interval(-10,10)", "y": "interval(-10,10)"}
    found = distance(study_in(tmp_path / "unbroken", bowl, sampler=sampler))
    distance(study_in(tmp_path / "stopped", bowl, sampler=sampler), most=17)
    assert distance(study_in(tmp_path / "stopped", bowl, sampler=sampler)) == found < most
    assert distance(study_in(tmp_path / "other", bowl, sampler=sampler, seed=1)) != found


def test_hyperband_counts_in_epochs(tmp_path: Path) -> None:
    study = study_in(tmp_path, {"x": "range(0,4)"}, pruner="hyperband")
    assert study.pruner == ("hyperband", {"min_resource": 3, "max_resource": 27})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("interval(1e-4, 1e-1, log)", "FloatDistribution(high=0.1, log=True, low=0.0001, step=None)"),
        ("tag(log, int(interval(4, 512)))", "IntDistribution(high=512, log=True, low=4, step=1)"),
        ("range(10, 0, -5)", "IntDistribution(high=10, log=False, low=5, step=5)"),
        ("range(0.1, 0.5, 0.2)", "FloatDistribution(high=0.3, log=False, low=0.1, step=0.2)"),
        ("choice(1, 'a b', [2,3], true)", "CategoricalDistribution(choices=('1', 'a\\\\ b', '[2,3]', 'True'))"),
    ],
)
def test_a_space_means_to_optuna_what_it_means_to_hydra(text: str, word: str) -> None:
    assert str(space_of([], {"x": text}).searched["x"]) == word


def test_a_list_in_a_config_is_a_choice() -> None:
    assert space_of([], {"x": [2, "a"]}).searched["x"] == CategoricalDistribution(["2", "a"])


def test_the_report_says_nothing_of_what_mattered_in_few_trials(unbroken: Path) -> None:
    assert called("report", str(unbroken)).returncode == 0
    assert "importances" not in json.loads((unbroken / "sweep.json").read_text())
    page = (unbroken / "sweep.html").read_text()
    assert "History of the search" in page
    assert "Importances: from 10 finished trials of two parameters on" in page
    assert '"type": "bar"' not in page


@pytest.mark.parametrize(
    ("count", "searched", "known"),
    [(20, ["x", "y"], {"x": 1.0, "y": 0.0}), (10, ["x", "y"], {"x", "y"}), (9, ["x", "y"], {}), (10, ["x"], {})],
)
def test_the_report_says_what_mattered(tmp_path: Path, count: int, searched: list[str], known: Collection[str]) -> None:
    """The loss is x, and knows nothing of y: of 20 trials, the best tenth has both of its values, as all have."""
    space = {"x": IntDistribution(0, 9), "y": CategoricalDistribution([0, 1])}
    for number in range(count):
        values = {key: value for key, value in {"x": number // 2, "y": number % 2}.items() if key in searched}
        as_trial(write_run(tmp_path / str(number), [], number // 2), values, space)
    found = importances(summarize(begun(tmp_path)))
    assert (found.keys() if isinstance(known, set) else found) == known


BAD = [
    (["optimizer.lrr=interval(0,1)"], "optimizer.lrr: no such group or key, did you mean optimizer.lr?"),
    (["optimizer.lr=choice()"], "there is no value to choose from"),
    (["optimizer.lr=range(5,1)"], "optimizer.lr=range(5,1): there is no value to choose from"),
    (["optimizer.lr=interval(1e-3,1,lin)"], "optimizer.lr=interval(1e-3,1,lin): interval(low,high) or interval(low,"),
    (["optimizer.lr=interval(1,0)"], "optimizer.lr=interval(1,0): `low <= high` must hold"),
    ([RATE, "sweep.sampler=annealing"], "sweep.sampler=annealing: choose one of tpe, random, grid, cmaes, nsgaii"),
    ([RATE, "sweep.pruner=roses"], "sweep.pruner=roses: choose one of none, median, hyperband"),
    ([RATE, "sweep.sampler=grid"], "sweep.sampler=grid: optimizer.lr is an interval, which has no end of values"),
    ([RATE, "sweep.sampler=cmaes"], "sweep.sampler=cmaes: searches two or more intervals or ranges"),
    ([RATE, "sweep.objectives={val/loss:low}"], "sweep.objectives={'val/loss': 'low'}: must be metrics with min"),
    ([RATE, "sweep.storage=sqlite:////no/such/x.db"], "sweep.storage=sqlite:////no/such/x.db: the study cannot be"),
    ([RATE, "sweep.n_trials=0"], "sweep.n_trials=0: must be a whole number from 1 on"),
    (["sweep.space=[1]"], "sweep.space=[1]: must be keys and their values, such as optimizer.lr: 'interval("),
    (["sweep.space={optimizer.lr:0.1}"], "sweep.space: optimizer.lr: 0.1 is no choice(), range() or interval()"),
    (["sweep.space={optimizer.lrr:'range(1,3)'}"], "optimizer.lrr: no such group or key, did you mean optimizer.lr?"),
    ([], "there is nothing to search: sweep=optuna takes a space, such as optimizer.lr="),
]

IN_ONE_PROCESS = """
import contextlib, io, json, pathlib, sys
from leyden.cli import main
said = []
for words in json.loads(sys.argv[1]):
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.suppress(SystemExit):
        main(["train", *words], pathlib.Path.cwd())
    said.append(errors.getvalue())
print(json.dumps(said))
"""


def test_what_cannot_be_searched_is_said_in_one_line_before_anything_begins(tmp_path: Path) -> None:
    commands = [words(tmp_path / str(number), *more) for number, (more, _) in enumerate(BAD)]
    completed = command("python", "-c", IN_ONE_PROCESS, json.dumps(commands))
    said = json.loads(completed.stdout)
    assert len(said) == len(BAD)
    for (_, message), line in zip(BAD, said, strict=True):
        assert message in line
        assert re.fullmatch(r"error: .*\n(try: .* -m .*\n)?", line)
    assert not list(tmp_path.glob("*/multirun.yaml"))


def test_a_metric_that_is_never_logged_is_found_at_the_first_job(tmp_path: Path) -> None:
    completed = train(*words(tmp_path / "none", RATE, "monitor.metric=val/los"))
    assert completed.returncode == 1
    assert completed.stderr.startswith("error: monitor.metric=val/los was not logged by ")
    assert [trial.state.name for trial in trials(tmp_path / "none")] == ["FAIL"]


def test_a_search_with_objectives_needs_no_other_value(tmp_path: Path) -> None:
    objectives = "sweep.objectives={val/loss:min}", "monitor.metric=val/nothing"
    search(tmp_path / "search", RATE, *objectives, "sweep.n_trials=2")
    ended = json.loads((tmp_path / "search" / "sweep.json").read_text())
    losses = [result(tmp_path / "search" / job)["metrics"]["val/loss"] for job in "01"]
    assert (ended["objectives"], ended["rows"][0]["mean"]) == ({"val/loss": "min"}, min(losses))


def test_a_study_of_another_space_is_not_mixed_with_this_one(unbroken: Path) -> None:
    completed = train(f"sweep.resume={unbroken}", "optimizer.lr=interval(1e-4,1)")
    assert completed.returncode == 1
    assert completed.stderr.startswith("error: optimizer.lr=interval(1e-4,1): would make other jobs than those of ")
    space = f"sweep.space={{optimizer.lr: '{RATE.partition('=')[2]}', data.batch_size: 'range(1,3)'}}"
    assert train(f"sweep.resume={unbroken}", space).stderr == (
        "error: the study xor/unbroken is of another search: its space differs in data.batch_size, "
        "model.hidden_features; a new search takes a new sweep\n"  # in place of what the command of the sweep had
    )


def test_trials_are_not_begun_anew_in_another_storage(unbroken: Path, tmp_path: Path) -> None:
    other = f"sweep.storage=sqlite:///{tmp_path}/other.db"
    completed = train(f"sweep.resume={unbroken}", "sweep.n_trials=99", other)
    assert completed.stderr == f"error: {other}: the trials of {unbroken} are of a study that is not there\n"
    assert completed.stdout == ""


def test_without_optuna_one_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "optuna.py").write_text("raise ModuleNotFoundError('No module named optuna', name='optuna')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    completed = command("python", "train.py", *words(tmp_path / "none", RATE), PYTHONPATH=path)
    assert completed.returncode == 1
    assert completed.stderr == "error: sweep=optuna needs Optuna: pip install 'leyden[sweeps]'\n"
