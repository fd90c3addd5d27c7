import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from leyden.errors import UserError
from leyden.runs.folder import RunFolder, claim


def test_many_who_want_one_folder_get_one_each(tmp_path: Path) -> None:
    wanted = tmp_path / "xor" / "2026-11-21_19-03-00"
    with ThreadPoolExecutor(50) as pool:
        claimed = list(pool.map(claim, [wanted] * 50))
    numbered = [wanted.name] + [f"{wanted.name}-{number}" for number in range(2, 51)]
    assert sorted(path.name for path in claimed) == sorted(numbered)
    assert all(path.is_dir() for path in claimed)


def test_the_config_is_kept_resolved(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_config(OmegaConf.create({"seed": 3, "data": {"seed": "${seed}"}}))
    assert (tmp_path / "config.yaml").read_text() == "format: 1\nseed: 3\ndata:\n  seed: 3\n"
    assert RunFolder.open(tmp_path).config() == {"seed": 3, "data": {"seed": 3}}


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for status in ("running", "finished"):
        run.write_result({"status": status})
    assert json.loads((tmp_path / "result.json").read_text()) == {"status": "finished"}
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "there is no such folder"),
        ({}, "is not a run folder: it holds no config.yaml"),
        ({"config.yaml": "seed: [1"}, "config.yaml is damaged"),
        ({"config.yaml": "- 1"}, "config.yaml is damaged: it holds no mapping"),
        ({"multirun.yaml": ""}, "is a sweep: name one of its runs, such as"),
    ],
)
def test_what_is_no_run_folder_is_said_in_one_line(files: dict[str, str] | None, message: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for name, text in (files or {}).items():
        write(folder, name, text)
    if files == {}:
        folder.mkdir()
    with pytest.raises(UserError) as error:
        RunFolder.open(folder).config()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_best_checkpoint_is_taken_where_none_is_named_or_else_the_last(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for name in ("last", "best"):
        write(run.checkpoints, f"{name}.ckpt", "")
        assert run.checkpoint_file().name == f"{name}.ckpt"
    assert run.checkpoint_file("last").name == "last.ckpt"
    assert run.checkpoint_file("some/file.ckpt") == Path("some/file.ckpt")


def test_a_checkpoint_that_is_not_there_is_named_beside_those_that_are(tmp_path: Path) -> None:
    write(tmp_path / "checkpoints", "last.ckpt", "")
    with pytest.raises(UserError, match=r"has no checkpoint best\.ckpt; there is: last\.ckpt$"):
        RunFolder(tmp_path).checkpoint_file("best")


@pytest.mark.parametrize(
    ("result", "is_kept"),
    [
        ({"status": "failed", "steps": 0}, False),
        ({"status": "failed", "steps": 1}, True),
        ({"status": "finished", "steps": 0}, True),
        (None, False),
    ],
)
def test_only_a_training_that_failed_before_its_first_step_is_discarded(
    result: dict[str, object] | None, is_kept: bool, tmp_path: Path
) -> None:
    folder = claim(tmp_path / "xor" / "run")
    if result is not None:
        write(folder, "result.json", json.dumps({"format": 1} | result))
        write(folder, "config.yaml", "format: 1")
    RunFolder(folder).discard_if_not_begun()
    assert folder.exists() == is_kept
    assert folder.parent.exists() == is_kept


@pytest.mark.parametrize("jobs", [0, 1])
def test_a_sweep_is_removed_only_before_its_first_job(tmp_path: Path, jobs: int) -> None:
    folder = claim(tmp_path / "sweep")
    write(folder, "multirun.yaml", "")
    for number in range(jobs):
        (folder / str(number)).mkdir()
    RunFolder(folder).discard_if_not_begun()
    assert folder.exists() == bool(jobs)


def test_a_folder_that_this_process_has_not_made_is_never_removed(tmp_path: Path) -> None:
    write(tmp_path / "project", "result.json", json.dumps({"format": 1, "status": "failed", "steps": 0}))
    RunFolder(tmp_path / "project").discard_if_not_begun()
    assert (tmp_path / "project" / "result.json").exists()


def test_a_folder_without_a_name_is_claimed_beside_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    assert claim(Path()) == tmp_path / "project-2"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, where no folder can be made")
def test_where_no_folder_can_be_made_the_claim_ends() -> None:
    with pytest.raises(FileNotFoundError, match="/proc/run"):
        claim(Path("/proc/run"))


def test_a_number_that_is_not_finite_is_null_in_the_result(tmp_path: Path) -> None:
    RunFolder(tmp_path).write_result({"format": 1, "metrics": {"val/loss": float("nan"), "val/mse": 0.5}})
    assert RunFolder(tmp_path).result()["metrics"] == {"val/loss": None, "val/mse": 0.5}


@pytest.mark.parametrize("name", ["config.yaml", "result.json"])
def test_a_format_of_another_version_is_named_and_not_guessed_at(name: str, tmp_path: Path) -> None:
    write(tmp_path, "config.yaml", "format: 1\nseed: 0\n")
    write(tmp_path, "result.json", '{"format": 1}')
    run = RunFolder.open(tmp_path)
    assert (run.config(), run.result()) == ({"seed": 0}, {"format": 1})
    write(tmp_path, name, (tmp_path / name).read_text().replace("1", "7"))
    with pytest.raises(UserError, match=f"{name} has the format 7: this version of leyden reads format 1"):
        (run.config(), run.result())
