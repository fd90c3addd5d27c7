import json
import os
from pathlib import Path
from typing import Any

import pytest
from run_folders import CONFIG, begun, write_run, write_sweep

from leyden.errors import UserError
from leyden.sweeps.summary import Row, student, summarize


def mean(row: Row) -> float | None:
    return row.estimates["val/loss"].mean


def margin(row: Row) -> float | None:
    return row.estimates["val/loss"].margin


@pytest.mark.parametrize(
    ("freedom", "factor"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (10, 2.2281), (100, 1.9840), (1000, 1.9623)]
)
def test_students_quantile_is_that_of_the_tables(freedom: int, factor: float) -> None:
    assert student(freedom) == pytest.approx(factor, abs=5e-5)


def test_seeds_are_averaged_with_a_95_percent_interval(tmp_path: Path) -> None:
    """Of 1, 2, 3 the mean is 2, the standard deviation 1; of 4 and 6 they are 5 and sqrt(2)."""
    values = {"0.1": [4.0, 6.0], "0.01": [1.0, 2.0, 3.0], "1": [7.0]}
    jobs = [
        ([f"optimizer.lr={lr}", f"seed={seed}"], value)
        for lr, found in values.items()
        for seed, value in enumerate(found)
    ]
    rows = summarize(write_sweep(tmp_path, jobs)).rows
    assert [row.settings for row in rows] == [{"optimizer.lr": 0.01}, {"optimizer.lr": 0.1}, {"optimizer.lr": 1}]
    assert [mean(row) for row in rows] == [2.0, 5.0, 7.0]
    assert [margin(row) for row in rows] == [pytest.approx(4.3027 / 3**0.5, 1e-4), pytest.approx(12.7062, 1e-4), None]


def test_where_more_is_better_the_largest_comes_first_and_nothing_comes_last(tmp_path: Path) -> None:
    for number, value in enumerate([0.2, None, 0.9, 0.5]):
        monitor = {"name": "val/accuracy", "mode": "max", "value": value}
        write_run(tmp_path / str(number), [f"optimizer.lr={number}"], monitor=monitor)
    summary = summarize(tmp_path)
    assert [row.estimates["val/accuracy"].mean for row in summary.rows] == [0.9, 0.5, 0.2, None]
    assert summary.best
    assert summary.best.settings == {"optimizer.lr": 2}


def test_runs_that_differ_in_nothing_but_the_seed_are_one_row(tmp_path: Path) -> None:
    jobs = [([f"seed={seed}", f"hydra.job.x={seed}", f"paths.log_dir={seed}"], 1.0 + seed) for seed in range(3)]
    summary = summarize(write_sweep(tmp_path, jobs))
    assert summary.varied == []
    assert [(row.settings, mean(row)) for row in summary.rows] == [({}, 2.0)]


def test_a_run_that_was_made_again_with_its_seed_counts_once(tmp_path: Path) -> None:
    summary = summarize(write_sweep(tmp_path, [(["seed=1"], 1.0), (["seed=2"], 3.0), (["seed=2"], 3.0)]))
    assert (mean(summary.rows[0]), margin(summary.rows[0])) == (2.0, pytest.approx(12.7062, 1e-4))


def test_what_a_command_does_not_say_is_taken_from_the_config_and_the_chosen_options(tmp_path: Path) -> None:
    write_run(tmp_path / "0", ["optimizer=adam", "optimizer.lr=1e-3", "seed=3", "model.hidden_sizes=[20, 20]"], 1.0)
    write_run(tmp_path / "1", ["+trainer.limit_train_batches=2", "debug=limit"], 2.0)
    summary = summarize(tmp_path)
    found = {key: [run.settings[key] for run in summary.runs] for key in [*summary.varied, "seed"]}
    assert found == {
        "optimizer": ["adam", "sgd"],
        "optimizer.lr": [0.001, 0.01],
        "model.hidden_sizes": ["[20,20]", "[10]"],
        "trainer.limit_train_batches": [None, 2],
        "debug": [None, "limit"],
        "seed": [3, 7],
    }


def test_a_value_that_is_written_in_two_ways_has_not_varied(tmp_path: Path) -> None:
    jobs = [(["optimizer.lr=0.01", "seed=0"], 1.0), (["optimizer.lr=1e-2", "seed=1"], 3.0), (["seed=2"], 2.0)]
    summary = summarize(write_sweep(tmp_path, jobs))
    assert (summary.varied, mean(summary.rows[0])) == ([], 2.0)


def test_only_finished_runs_are_averaged_and_the_others_counted(tmp_path: Path) -> None:
    statuses = ["finished", "failed", "interrupted", "pruned", "running", "running"]
    for number, status in enumerate(statuses):
        write_run(tmp_path / str(number), [f"seed={number}"], 1.0 + number, status=status)
    os.utime(tmp_path / "5" / "result.json", (0, 0))  # says running, but no process trains it
    summary = summarize(tmp_path)
    assert [run.status for run in summary.runs] == [*statuses[:5], "killed"]
    (row,) = summary.rows
    assert (mean(row), margin(row), row.count("finished"), row.count("failed")) == (1.0, None, 1, 1)


def test_damaged_folders_are_named_and_left_out(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path, [([f"optimizer.lr={number}"], 1.0) for number in range(12)])
    (sweep / "1" / "result.json").write_text("{")
    (sweep / "2" / "result.json").write_text(json.dumps({"format": 9}))
    (sweep / "3" / ".hydra" / "overrides.yaml").write_text("a: [")
    (sweep / "4" / ".hydra" / "overrides.yaml").unlink()
    (sweep / "5" / "config.yaml").write_bytes(b"\xff")  # says the seed
    (sweep / "6" / "result.json").unlink()
    (sweep / "7" / "metrics.csv").write_text("step\n")
    whole = json.loads((sweep / "8" / "result.json").read_text())
    odd = {"metrics": 3, "monitor": {"name": "val/loss", "value": "x"}, "seconds": float("nan"), "error": ["a\nb"]}
    (sweep / "8" / "result.json").write_text(json.dumps(whole | odd))
    summary = summarize(sweep)
    assert [run.path.name for run in summary.runs] == ["0", "7", "8", "9", "10", "11"]
    assert {path.name: reason.replace(str(path), "JOB").split(":")[0] for path, reason in summary.damaged.items()} == {
        "1": "its result.json is damaged, or of another version",
        "2": "its result.json is damaged, or of another version",
        "3": "JOB/.hydra/overrides.yaml is damaged",
        "4": "[Errno 2] No such file or directory",
        "5": "JOB/config.yaml is damaged",
        "6": "it holds no result.json",
    }
    assert (summary.runs[2].value, summary.runs[2].seconds, summary.runs[2].metrics) == (None, 0.0, {})


def test_runs_that_monitor_different_metrics_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "0", [], 1.0)
    write_run(tmp_path / "1", [], monitor={"name": "val/accuracy", "mode": "max", "value": 1.0})
    message = "the runs monitor different metrics, val/loss (min) and val/accuracy (max): name folders of one kind"
    with pytest.raises(UserError) as error:
        summarize(tmp_path)
    assert str(error.value) == message


def test_folders_without_a_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path}: no run is there$"):
        summarize(tmp_path)
    write_run(tmp_path / "0", [])
    (tmp_path / "0" / "result.json").write_text("{")
    with pytest.raises(
        UserError, match=f"^{tmp_path}: no run is there that can be read; {tmp_path}/0: its result.json"
    ):
        summarize(tmp_path)


def test_the_best_can_be_pasted_into_a_shell_with_the_seed_of_its_best_run_that_finished(tmp_path: Path) -> None:
    words = ["experiment=sine", "model.hidden_sizes=[5, 5]", "name='a b'", "rerun=/there"]
    jobs = [([*words, f"seed={seed}"], value) for seed, value in ((1, 3.0), (2, 1.0), (3, 2.0))]
    sweep = write_sweep(tmp_path, jobs)
    write_run(sweep / "3", [*words, "seed=4"], 0.5, status="pruned")
    summary = summarize(sweep)
    assert summary.best
    assert summary.best.command == (
        """python train.py experiment=sine 'model.hidden_sizes=[5, 5]' 'name='"'"'a b'"'"'' seed=2"""
    )


def test_of_nothing_that_finished_the_command_is_that_of_the_first(tmp_path: Path) -> None:
    for seed in (3, 4):
        write_run(tmp_path / str(seed), [f"seed={seed}"], status="failed")
    assert summarize(tmp_path).rows[0].command == "python train.py seed=3"


def objectives(folder: Path, *values: tuple[float, float | None]) -> Path:
    """A search whose trials have reached a loss and an accuracy."""
    for number, (loss, accuracy) in enumerate(values):
        metrics = {"val/loss": loss, "val/accuracy": accuracy}
        write_run(folder / str(number), [f"optimizer.lr={number}"], loss / 2, metrics=metrics)
    return begun(folder, "optimizer.lr=interval(0,9)", objectives={"val/loss": "min", "val/accuracy": "max"})


def test_of_several_objectives_the_rows_that_no_other_beats_come_first(tmp_path: Path) -> None:
    """0 is beaten by 1, in accuracy alone, and 4 by 1 in both; 3 and 5 are alike, and 2 has no accuracy."""
    trials = [(2.0, 0.5), (2.0, 0.75), (0.5, None), (1.0, 0.25), (3.0, 0.25), (1.0, 0.25)]
    summary = summarize(objectives(tmp_path, *trials))
    assert [row.settings["optimizer.lr"] for row in summary.front] == [3, 5, 1]
    assert [row.settings["optimizer.lr"] for row in summary.rows] == [3, 5, 1, 2, 0, 4]
    assert summary.best is summary.rows[0]
    assert [each.mean for each in summary.rows[0].estimates.values()] == [1.0, 0.25]  # as last logged


def test_a_single_objective_is_ranked_by_in_place_of_what_is_monitored(tmp_path: Path) -> None:
    sweep = begun(objectives(tmp_path, (1.0, 0.5), (2.0, 0.75)), objectives={"val/accuracy": "max"})
    assert [row.settings["optimizer.lr"] for row in summarize(sweep).rows] == [1, 0]


@pytest.mark.parametrize(
    ("words", "settings", "jobs"),
    [
        (["optimizer.lr=1,2,2", "seed=range(3)", "model=mlp"], {}, 6),
        (["optimizer.lr=interval(0,1)"], {"n_trials": 50, "sampler": "tpe"}, 50),
        (["optimizer.lr=1,2"], {"n_trials": 50, "sampler": "grid", "space": {"seed": "range(3)"}}, 6),
        (["optimizer.lr=1,2", "seed=3"], {"n_trials": 50, "sampler": "grid", "space": {"seed": "range(3)"}}, 2),
        (["optimizer.lr=int(interval(1,9))"], {"n_trials": 50, "sampler": "grid"}, None),
        (["model=glob(*)"], {}, None),
        (["seed=range(1000000000)"], {}, None),
        (["seed=range("], {}, None),
    ],
)
def test_a_sweep_knows_how_many_jobs_there_are_to_be(
    tmp_path: Path, words: list[str], settings: dict[str, Any], jobs: int | None
) -> None:
    sweep = begun(write_sweep(tmp_path, [(["seed=1"], 1.0)]), *words, **settings)
    assert summarize(sweep).plan.jobs == jobs


def test_what_a_sweep_gave_several_values_has_varied_even_where_all_drew_one(tmp_path: Path) -> None:
    words = ["optimizer=sgd,adam", "optimizer.lr=tag(log,interval(1,2))", "seed=1,2", "model=mlp"]
    job = ["optimizer=sgd", "optimizer.lr=1", "seed=1", "model=mlp"]
    summary = summarize(begun(write_sweep(tmp_path, [(job, 1.0)]), *words))
    assert summary.rows[0].settings == {"optimizer": "sgd", "optimizer.lr": 1}
    assert summary.plan.log == ["optimizer.lr"]


def test_with_no_seed_any_two_runs_count(tmp_path: Path) -> None:
    for number in range(2):
        write_run(tmp_path / str(number), [], 1.0 + 2 * number, config=CONFIG | {"seed": None})
    assert summarize(tmp_path).rows[0].estimates["val/loss"].values == [1.0, 3.0]
