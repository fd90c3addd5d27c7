import json
from pathlib import Path

import pytest
from conftest import called
from run_folders import begun, write_run, write_sweep

from leyden.sweeps.summary import Estimate
from leyden.sweeps.table import rounded


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two rates, two seeds each; of the better one a third has failed."""
    jobs = [([f"optimizer.lr={lr}", f"seed={seed}"], value) for lr, seed, value in JOBS]
    sweep = write_sweep(tmp_path / "sweep", jobs)
    failed = {"status": "failed", "metrics": {}, "seconds": 0.5, "error": 'RuntimeError: a, "b"\n  and c'}
    write_run(sweep / "4", ["optimizer.lr=0.01", "seed=2"], **failed)
    return sweep


JOBS = [(0.1, 0, 3.0), (0.1, 1, 5.0), (0.01, 0, 0.5), (0.01, 1, 1.5)]
ERROR = 'RuntimeError: a, "b" and c'


def test_a_sweep_is_told_in_a_table_best_first(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sweep.parent)
    completed = called("report", "sweep")
    assert (completed.returncode, completed.stderr) == (0, "")
    assert [" ".join(line.split()) for line in completed.stdout.splitlines()] == [
        "optimizer.lr val/loss 95 % finished failed s per run",
        "0.01 1.0 ± 6.4 2 1 2.0",
        "0.1 4 ± 13 2 0 2.0",
        "5 runs: 4 finished, 1 failed; 8.5 s of training",
        f"sweep/4: {ERROR}",
        "to train the best again:",
        "python train.py optimizer.lr=0.01 seed=0",
        "sweep/sweep.csv",
        "sweep/sweep.json",
        "sweep/sweep.html",
    ]


@pytest.mark.parametrize(
    ("values", "mean", "margin"),
    [
        ([3.124, 3.144], "3.13", "± 0.13"),
        ([3.126, 3.14221], "3.13", "± 0.10"),  # 0.1030
        ([120.0, 140.0], "130", "± 127"),
        ([0.0001234, 0.0001235], "0.00012345", "± 0.00000064"),
        ([1.5e-10, 1.6e-10], "1.55e-10", "± 6.4e-11"),
        ([1e30, 3e30], "2e+30", "± 1.3e+31"),
        ([1.23456789, 1.23456789], "1.23457", "± 0"),
        ([1.23456789], "1.23457", ""),
        ([], "", ""),
    ],
)
def test_a_mean_is_rounded_as_its_interval_is(values: list[float], mean: str, margin: str) -> None:
    assert rounded(Estimate(values)) == (mean, margin)


def test_several_objectives_have_columns_and_a_front(tmp_path: Path) -> None:
    for number, (loss, accuracy) in enumerate([(2.0, 0.5), (1.0, 0.25), (2.0, 0.75)]):
        metrics = {"val/loss": loss, "val/accuracy": accuracy}
        write_run(tmp_path / str(number), [f"optimizer.lr={number}"], 9.0, metrics=metrics)
    settings = {"n_trials": 4, "sampler": "nsgaii", "objectives": {"val/loss": "min", "val/accuracy": "max"}}
    begun(tmp_path, "optimizer.lr=interval(0,9)", **settings)
    lines = called("report", str(tmp_path)).stdout.splitlines()
    assert [" ".join(line.split()) for line in lines[:7]] == [
        "optimizer.lr val/loss val/accuracy front finished failed s per run",
        "1 1 0.25 * 1 0 2.0",
        "2 2 0.75 * 1 0 2.0",
        "0 2 0.5 1 0 2.0",
        "3 of 4 runs: 3 finished; 6.0 s of training",
        "to train the first again:",
        "python train.py optimizer.lr=1",
    ]
    found = json.loads((tmp_path / "sweep.json").read_text())
    assert found["objectives"] == settings["objectives"]
    assert [row["front"] for row in found["rows"]] == [True, True, False]
    assert found["rows"][1]["objectives"] == {
        "val/loss": {"mean": 2.0, "interval": None, "seeds": 1},
        "val/accuracy": {"mean": 0.75, "interval": None, "seeds": 1},
    }


def test_the_csv_has_a_line_for_each_run(sweep: Path) -> None:
    called("report", str(sweep))
    assert (sweep / "sweep.csv").read_text() == (
        "folder,status,optimizer.lr,seed,val/loss (best),val/loss,test/mse,seconds,code,error\n"
        "0,finished,0.1,0,3.0,3.0,1.5,2.0,,\n"
        "1,finished,0.1,1,5.0,5.0,2.5,2.0,,\n"
        "2,finished,0.01,0,0.5,0.5,0.25,2.0,,\n"
        "3,finished,0.01,1,1.5,1.5,0.75,2.0,,\n"
        '4,failed,0.01,2,,,,0.5,,"RuntimeError: a, ""b"" and c"\n'
    )


def test_the_json_has_rows_and_runs_with_numbers_as_numbers(sweep: Path) -> None:
    (sweep / "7").mkdir()
    called("report", str(sweep))
    found = json.loads((sweep / "sweep.json").read_text())
    half = 12.7062 * 0.5**0.5 / 2**0.5
    assert found.pop("rows") == [
        {
            "settings": {"optimizer.lr": 0.01},
            "mean": 1.0,
            "interval": [pytest.approx(1 - half, 1e-4), pytest.approx(1 + half, 1e-4)],
            "seeds": 2,
            "finished": 2,
            "failed": 1,
            "seconds": 2.0,
            "command": "python train.py optimizer.lr=0.01 seed=0",
            "runs": ["2", "3", "4"],
        },
        {
            "settings": {"optimizer.lr": 0.1},
            "mean": 4.0,
            "interval": [pytest.approx(4 - 2 * half, 1e-4), pytest.approx(4 + 2 * half, 1e-4)],
            "seeds": 2,
            "finished": 2,
            "failed": 0,
            "seconds": 2.0,
            "command": "python train.py optimizer.lr=0.1 seed=0",
            "runs": ["0", "1"],
        },
    ]
    runs = found.pop("runs")
    assert runs[0] == {
        "folder": "0",
        "status": "finished",
        "settings": {"optimizer.lr": 0.1},
        "seed": 0,
        "value": 3.0,
        "metrics": {"val/loss": 3.0, "test/mse": 1.5},
        "seconds": 2.0,
        "code": None,
        "error": None,
    }
    assert [(run["value"], run["error"]) for run in runs[3:]] == [(1.5, None), (None, ERROR)]
    assert found == {
        "format": 1,
        "name": "sine",
        "monitor": {"name": "val/loss", "mode": "min"},
        "objectives": {"val/loss": "min"},
        "varied": ["optimizer.lr"],
        "best": "python train.py optimizer.lr=0.01 seed=0",
        "damaged": {"7": "it holds no result.json: its training never began"},
    }


def test_runs_of_different_code_are_told_apart(sweep: Path) -> None:
    for job, code in zip("01234", "aabbb", strict=True):
        (sweep / job / "provenance.json").write_text(json.dumps({"code": {"sha256": code * 64}}))
    said = called("report", str(sweep)).stdout
    assert "8.5 s of training; by 2 states of the code: sweep.csv says which" in said
    assert [line.split(",")[-2] for line in (sweep / "sweep.csv").read_text().splitlines()[1:4]] == 2 * [10 * "a"] + [
        10 * "b"
    ]


def test_any_set_of_runs_is_told_and_written_where_output_says(tmp_path: Path) -> None:
    for lr in (1, 2):
        write_run(tmp_path / "logs" / "sine" / f"run-{lr}", [f"optimizer.lr={lr}"], float(lr))
    told = [called("report", word).stdout for word in (f"{tmp_path}/logs", f"{tmp_path}/l*/s*/run-*")]
    assert told[0] == told[1]
    assert "2 runs: 2 finished" in told[0]
    assert not list(tmp_path.rglob("sweep.*"))
    called("report", f"{tmp_path}/logs/sine/run-1", f"{tmp_path}/logs/sine/run-2", f"output={tmp_path}/out/here")
    assert (tmp_path / "out" / "here" / "sweep.csv").read_text().splitlines()[1].startswith("../../logs/sine/run-1,")
    assert 'href="../../logs/sine/run-1/"' in (tmp_path / "out" / "here" / "sweep.html").read_text()


def test_a_large_sweep_does_not_scroll_its_best_away(tmp_path: Path) -> None:
    write_sweep(tmp_path, [([f"optimizer.lr={number}"], float(number)) for number in range(45)])
    lines = called("report", str(tmp_path)).stdout.splitlines()
    assert lines[40].split()[:2] == ["39", "39"]
    assert lines[41] == "... and 5 more rows: the files of the report have all"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "leyden report takes FOLDER, then KEY=VALUE; given: nothing"),
        (["no"], "no: there is no such folder"),
        (["no/*"], "no/*: there is no such folder"),
        (["tests/lab"], "tests/lab: no run is there"),
    ],
)
def test_folders_that_hold_no_runs_are_named(words: list[str], message: str) -> None:
    completed = called("report", *words)
    assert (completed.returncode, completed.stdout, completed.stderr) == (1, "", f"error: {message}\n")


def test_a_folder_that_cannot_be_written_is_said_in_one_line_after_the_table(sweep: Path) -> None:
    completed = called("report", str(sweep), f"output={sweep}/multirun.yaml/x")
    assert completed.stderr == (
        f"error: {sweep}/multirun.yaml/x: the report cannot be written there (Not a directory); "
        "output=DIR names another folder\n"
    )
    assert "python train.py optimizer.lr=0.01 seed=0" in completed.stdout
