"""The commands and the code of the README, run in its order in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import CONFIGS, PROJECT

README = (PROJECT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def shortened(line: str) -> str:
    """The command, with few epochs where it would train."""
    if "--" in line or "train.py" not in line:
        return line
    if "resume=" in line:
        return line.replace("max_epochs=1200", "max_epochs=20")
    return re.sub(r" trainer\.max_epochs=\d+", "", line) + " trainer.max_epochs=10"


def first_run(line: str, project: Path) -> str:
    """The command, with the folder that the first command left in place of the one that it names."""

    def there(match: re.Match[str]) -> str:
        return str(min(path for path in (project / match[1]).iterdir() if path.name != "sweeps"))

    return re.sub(r"(logs/\w+(?:/sweeps)?)/\d{4}-\S+", there, line)


def test_what_the_readme_says_works_in_the_order_in_which_it_says_it(tmp_path: Path, tiny_cifar: Path) -> None:
    project = tmp_path / "project"
    for name in ("src", "configs"):
        shutil.copytree(PROJECT / name, project / name, ignore=shutil.ignore_patterns("__pycache__", "local"))
    shutil.copy(PROJECT / "train.py", project)
    files = [block for language in ("python", "yaml") for block in blocks(language)]
    assert len(files) == 5
    for block in files:
        (project / block.splitlines()[0].removeprefix("# ")).write_text(block.partition("\n")[2])
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(project / "src"),
        "LEYDEN_DATA_DIR": str(tiny_cifar),
    }
    commands = [line.partition("  #")[0].strip() for block in blocks("bash") for line in block.splitlines()]
    assert len(commands) == 22
    (project / "points.csv").write_text("a,b\n0,1\n1,1\n")
    for line in commands:
        completed = subprocess.run(
            first_run(shortened(line), project),
            shell=True,
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert completed.returncode == 0, f"{line}\n{completed.stderr}"
    assert sorted(path.name for path in (project / "logs").iterdir()) == ["debug", "rings", "xor"]
    assert len(list((project / "logs").glob("xor/*/model.onnx"))) == 1


def test_every_option_of_every_group_is_named() -> None:
    for group in CONFIGS.iterdir():
        row = re.search(rf"^\| `{group.name}` \| (.*) \|$", README, re.MULTILINE)
        if row is not None:
            options = {file.stem for file in group.glob("*.yaml")} - ({"default"} if group.name == "trainer" else set())
            assert set(re.findall(r"`(\w+)`", row[1])) == options
