import subprocess
from pathlib import Path

import pytest

from leyden.runs import provenance as made_of
from leyden.runs.provenance import differences, provenance, uncommitted_changes, without_credentials


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of two files in a git repository, with a remote that holds a token."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "model.py").write_text("width = 4\n")
    (tmp_path / "requirements.lock").write_text("torch==2.15.0\n")
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"],
        ["remote", "add", "origin", "https://me:s3cret@example.org/lab.git?token=s3cret"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


def fresh(project: Path) -> dict[str, object]:
    """As a process that begins now would find it."""
    made_of.code_checksum.cache_clear()
    made_of.uncommitted_changes.cache_clear()
    return provenance(project, ["seed=3"], 3)


def test_it_names_the_code_the_packages_and_the_command_and_holds_no_secret(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "s3cret")
    facts = fresh(project)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True, check=True)
    assert facts["code"]["commit"] == head.stdout.strip()
    assert (facts["code"]["dirty"], facts["code"]["remote"]) == (False, "https://example.org/lab.git")
    assert (facts["command"], facts["seed"]) == (["python", "train.py", "seed=3"], 3)
    assert facts["packages"]["lightning"] >= "2.6.6"
    assert "s3cret" not in str(facts)


def test_a_secret_on_the_command_line_is_not_kept(project: Path) -> None:
    words = ["seed=3", "+logger.wandb.api_key=s3cret", "trainer.max_epochs=3", "my_token=s3cret"]
    command = provenance(project, words, 3)["command"]
    assert command[2:] == ["seed=3", "+logger.wandb.api_key=***", "trainer.max_epochs=3", "my_token=***"]


def test_one_changed_line_of_code_changes_it_and_is_kept_as_a_patch(project: Path) -> None:
    before = fresh(project)
    (project / "src" / "model.py").write_text("width = 5\n")
    (project / "src" / "new.py").write_text("depth = 2\n")
    now = fresh(project)
    assert before["code"]["sha256"] != now["code"]["sha256"]
    assert now["code"]["dirty"]
    patch = uncommitted_changes(project)
    assert "-width = 4\n+width = 5\n" in patch
    assert "+depth = 2\n" in patch
    commit = now["code"]["commit"][:10]
    changes = now["code"]["sha256"][:6]
    assert differences(before, now) == [f"code: {commit} then, {commit} with uncommitted changes ({changes}) now"]


def test_the_patch_makes_the_committed_code_what_it_was(project: Path) -> None:
    (project / "src" / "model.py").write_text("width = 5\n")
    (project / "src" / "new.py").write_text("depth = 2\n")
    fresh(project)
    patch = uncommitted_changes(project)
    subprocess.run(["git", "checkout", "-q", "."], cwd=project, check=True)
    (project / "src" / "new.py").unlink()
    subprocess.run(["git", "apply"], cwd=project, input=patch, text=True, check=True)
    assert (project / "src" / "model.py").read_text() == "width = 5\n"
    assert (project / "src" / "new.py").read_text() == "depth = 2\n"


def test_packages_lock_and_data_that_differ_are_named(project: Path) -> None:
    before = fresh(project) | {"data": "a"}
    now = fresh(project) | {"data": "b", "lock": "other"}
    now["packages"] = {name: version for name, version in now["packages"].items() if name != "lightning"} | {"new": "1"}
    assert differences(before, now) == [
        f"package lightning: {before['packages']['lightning']} then, none now",
        "package new: none then, 1 now",
        f"lock: {before['lock']} then, other now",
        "data: a then, b now",
    ]


def test_a_project_without_git_has_its_checksum_alone(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("")
    code = fresh(tmp_path)["code"]
    assert code | {"sha256": ""} == {"sha256": "", "commit": None, "dirty": None, "remote": None}
    assert len(code["sha256"]) == 64


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://user:token@example.org/a/b.git", "https://example.org/a/b.git"),
        ("git@example.org:a/b.git", "example.org:a/b.git"),
        ("ssh://git@example.org:22/a/b.git", "ssh://example.org:22/a/b.git"),
        ("", ""),
    ],
)
def test_an_address_is_kept_without_user_and_token(url: str, safe: str) -> None:
    assert without_credentials(url) == safe
