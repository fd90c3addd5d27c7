"""The commands and the code of the README and of docs/, each page in its order, in a copy of the project.

What a page shows of a command's output is held against what is printed, but for its numbers. Where a command cannot be
run, NOT_RUN says what is looked at instead.
"""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import CONFIGS, PROJECT, only_folder, server

from leyden.cli import VERBS

README = PROJECT / "README.md"
DOCS = PROJECT / "docs"
PAGES = [README, *sorted(file for file in DOCS.rglob("*.md") if file.parent.name != "reference")]
SLOW = {f"howto/{name}.md" for name in ("compare_runs", "export_and_predict", "gpu", "search", "sweep")} | {"index.md"}

# What a command begins with or holds, how it is looked at instead, and why.
NOT_RUN = [
    (r"make ", "target", "sets up an environment; the targets are what .ci/run calls"),
    (r"source ", "named", "the environment is the one that the tests run in"),
    (r"pip install", "extra", "installs; the extra is one of pyproject.toml"),
    (r"mlflow ui", "named", "a server, of a package that no extra brings"),
    (r"wandb (sync|login)", "named", "needs an account, and the network"),
    (r"optuna-dashboard ", "program", "a server that would not end"),
    (r"leyden check *($|experiment=xor)", "named", "takes a minute: tests/leyden/verbs/test_check.py"),
    (r"leyden export .* format=torch_export", "named", "takes 20 s: tests/leyden/verbs/test_export.py"),
    (r"sbatch ", "script", "needs SLURM: tests/leyden/runs/test_slurm.py"),
    (r"MASTER=", "script", "needs two machines: tests/leyden/verbs/test_train.py"),
    (r"hydra/launcher=slurm", "composed", "needs SLURM: tests/leyden/sweeps/test_slurm_sweep.py"),
    (r"hydra/launcher=ray", "composed", "starts a cluster: tests/leyden/sweeps/test_ray_sweep.py"),
    (r"trainer=(gpu|ddp)\b", "composed", "needs a GPU: tests/lab/test_cifar10_fast.py"),
    (r"trainer=ddp_cpu", "composed", "two processes: tests/leyden/verbs/test_train.py"),
]
# What blocks that show an output alone begin with, and which test says so.
SHOWN = {
    "Traceback": "tests/leyden/test_faults.py",
    "error: configs/experiment/mine.yaml:4": "tests/leyden/config/test_defaults.py",
}


@dataclass(frozen=True)
class Block:
    page: Path
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """Where the block says that it belongs."""
        found = re.match(r"# ((?:src|configs)/\S+)\n", self.text)
        return found[1] if found and self.language in ("python", "yaml") else None

    def commands(self) -> Iterator[tuple[str, str]]:
        """The commands, without prompts and comments, and what is shown of the output of each."""
        text = self.text.replace("\\\n", " ")
        if self.language == "bash":
            yield from ((uncommented(line), "") for line in text.splitlines())
        elif self.language == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, output = part.partition("\n")
                yield uncommented(line), output
        elif self.language == "python" and not self.file:
            yield f"python -c {shlex.quote(self.text)}", ""


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"^```([^\n]*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [Block(page, language, text) for language, text in found]


def name_of(page: Path) -> str:
    return str(page.relative_to(DOCS if DOCS in page.parents else PROJECT))


def uncommented(line: str) -> str:
    return re.split(r" +# ", line)[0].strip()


ALL = [block for page in PAGES for block in blocks(page)]
COMMANDS = [command for block in ALL for command, _ in block.commands()]


def shortened(line: str) -> str:
    """The command, with few epochs, seeds and trials where it would train."""
    if "train.py" not in line or re.search(r" --|rerun=|debug=", line):
        return line
    line = line.replace("population=256", "population=8").replace("n_trials=50", "n_trials=2")
    if "resume=" in line:
        return line.replace("max_epochs=1200", "max_epochs=20")
    epochs = 20 if "experiment=sine" in line else 1 if "experiment=cifar10" in line else 10
    return re.sub(r" trainer\.max_epochs=\d+", "", line) + f" trainer.max_epochs={epochs}"


def masked(text: str) -> str:
    """The text without what differs from run to run: numbers, folders above the logs, widths of columns."""
    text = re.sub(r"\S*/(?=xor/(sweeps/)?\d{4}-)", "logs/", text)
    return " ".join(re.sub(r"\d(?:[\d,.]*\d)?(?:e-?\d+)?", "N", text).split())


def assert_shown(shown: str, printed: str) -> None:
    """`...` stands for anything."""
    pattern = ".*".join(re.escape(masked(part)) for part in re.split(r"^\.\.\.$|\.\.\.$", shown, flags=re.MULTILINE))
    assert re.search(pattern.replace(r"\ ", " ?"), masked(printed)), f"shown:\n{masked(shown)}\nis:\n{masked(printed)}"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project."""
    project = tmp_path_factory.mktemp("docs") / "project"
    for name in ("src", "configs"):
        shutil.copytree(PROJECT / name, project / name, ignore=shutil.ignore_patterns("__pycache__", "local"))
    shutil.copy(PROJECT / "train.py", project)
    return project


@pytest.fixture(scope="session")
def a_run(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    logs = tmp_path_factory.mktemp("logs")
    train(template, "experiment=xor", "trainer.max_epochs=10", f"paths.log_dir={logs}")
    return only_folder(logs / "xor")


@pytest.fixture(scope="session")
def a_sweep(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    logs = tmp_path_factory.mktemp("logs")
    rates = "optimizer.lr=0.001,0.01"
    train(template, "-m", "experiment=xor", rates, "trainer.max_epochs=10", f"paths.log_dir={logs}")
    return only_folder(logs / "xor" / "sweeps")


def write_files(page: Path, project: Path) -> None:
    """What a page adds to the project."""
    for _ in steps(page, project):
        pass


def steps(page: Path, project: Path) -> Iterator[tuple[str, str]]:
    """The commands of a page and what is shown of their outputs; its files are written as their turn comes."""
    for block in blocks(page):
        yield from block.commands()
        if block.file:
            assert not (project / block.file).exists(), f"{page} writes over {block.file}"
            (project / block.file).write_text(block.text.partition("\n")[2])


def train(project: Path, *words: str) -> None:
    done = server().run(["python", "train.py", *words], project, PYTHONPATH=str(project / "src"))
    assert done.returncode == 0, done.stderr


def looked_at(line: str) -> str | None:
    """How a command is looked at that is not run."""
    return next((how for pattern, how, _ in NOT_RUN if re.search(rf"(^| ){pattern}", line)), None)


def look(how: str, line: str) -> None:
    if how == "target":
        done = subprocess.run(["make", "--dry-run", *line.split()[1:]], cwd=PROJECT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    elif how == "extra":
        extras = re.findall(r"\[(\w+)\]", line)
        assert all(f"\n{extra} = [" in (PROJECT / "pyproject.toml").read_text() for extra in extras), line
    elif how == "program":
        assert shutil.which(line.split()[0], path=str(Path(sys.executable).parent)), line
    elif how == "script":
        (script,) = re.findall(r"scripts/\S+\.sh", line)
        subprocess.run(["bash", "-n", script], cwd=PROJECT, check=True)
        assert_composes(line.partition(script)[2])
    elif how == "composed":
        assert_composes(line.partition("train.py ")[2])


def assert_composes(words: str) -> None:
    from errors import is_blamed

    from leyden.config.app import use_paths_of
    from leyden.sweeps.jobs import as_hydra_spells

    use_paths_of(PROJECT)
    assert not is_blamed([as_hydra_spells(word) for word in shlex.split(words)]), words


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.slow] * (name_of(page) in SLOW), id=name_of(page)) for page in PAGES],
)
def test_what_a_page_says_works_in_the_order_in_which_it_says_it(
    page: Path,
    template: Path,
    tiny_cifar: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    project = Path(shutil.copytree(template, tmp_path / "project"))
    for linked in PAGES:
        if os.path.relpath(linked, page.parent) in re.findall(r"\]\(([^)#]+\.md)", page.read_text()):
            write_files(linked, project)
    for folder in set(re.findall(r"logs/xor/(?:sweeps/)?\d{4}-[\w-]+", page.read_text())):
        made = request.getfixturevalue("a_sweep" if "/sweeps/" in folder else "a_run")
        shutil.copytree(made, project / folder)
    (project / "points.csv").write_text("a,b\n0,1\n1,1\n")
    environment = {"PYTHONPATH": str(project / "src"), "LEYDEN_DATA_DIR": str(tiny_cifar)}
    for line, shown in steps(page, project):
        if how := looked_at(line):
            look(how, line)
            assert not shown or line == "make train"
            printed = request.getfixturevalue("xor_run")[1].stdout if shown else ""
        elif re.match(r"(python|leyden) ", line):
            wrong = shown.startswith("error: ")
            done = server().run(shlex.split(line if wrong else shortened(line)), project, **environment)
            assert (done.returncode != 0) == wrong, f"{line}\n{done.stderr}"
            printed = done.stdout + done.stderr
        else:
            done = subprocess.run(
                line, shell=True, cwd=project, env={**os.environ, **environment}, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{line}\n{done.stderr}"
            printed = done.stdout
        assert_shown(shown, printed)


def test_every_block_is_run_or_named() -> None:
    for block in ALL:
        if block.language == "text":
            (test,) = (test for start, test in SHOWN.items() if block.text.startswith(start))
            assert (PROJECT / test).is_file()
        elif not block.file:
            assert list(block.commands()), f"{block.page}: a block that is neither a file nor commands:\n{block.text}"
    for pattern, _, why in NOT_RUN:
        assert any(re.search(rf"(^| ){pattern}", line) for line in COMMANDS), f"no command is like {pattern}"
        assert all((PROJECT / file).exists() for file in re.findall(r"tests/\S+\.py|\.ci/run", why)), why


def test_make_train_passes_words_on() -> None:
    words = "model.hidden_features=8 seed=1"
    line = ["make", "--no-print-directory", "--dry-run", "train", f"ARGS={words}"]
    done = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True)
    assert done.stdout.endswith(f"python train.py experiment=xor {words}\n")


def test_what_a_sentence_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for code in re.findall(r"`([^`]+)`", text):
            words = code.split()
            if words[0] == "make" and len(words) > 1:
                assert words[1] in targets, f"{page}: {code}"
            elif words[0] == "leyden" and len(words) > 1:
                assert words[1] in (*VERBS, "VERB"), f"{page}: {code}"
            for file in re.findall(r"(?:^|(?<= ))(?:scripts|src|configs|tests)/[\w/.]+", code):
                made = file in {block.file for block in ALL} or file.startswith("configs/local")
                assert made or (PROJECT / file).exists(), f"{page}: {code}"


def test_every_option_of_every_group_is_named() -> None:
    for group in CONFIGS.iterdir():
        row = re.search(rf"^\| `{group.name}` \| (.*) \|$", README.read_text(), re.MULTILINE)
        if row is not None:
            options = {file.stem for file in group.glob("*.yaml")} - ({"default"} if group.name == "trainer" else set())
            assert set(re.findall(r"`(\w+)`", row[1])) == options


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README.read_text())
    for link in links:
        file, _, place = link.partition("#")
        if not file.startswith("https://"):
            assert (PROJECT / file).exists(), link
            heads = re.findall(r"^#+ (.*)", (PROJECT / file).read_text(), re.MULTILINE) if place else []
            assert not place or place in {re.sub(r"[^\w-]", "", head.lower().replace(" ", "-")) for head in heads}, link


def test_every_message_of_the_troubleshooting_page_is_one_of_ours() -> None:
    texts = [
        text for folder in ("leyden", "lab") for file in (PROJECT / "src" / folder).rglob("*.py") for text in said(file)
    ]
    messages = re.findall(r"^### `(.+)`$", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE)
    assert len(messages) > 40
    for message in messages:
        parts = [part for part in re.split(r"\.\.\.", message.replace("'...'", "'\0'")) if part.strip(" ()")]
        for part in parts:
            wanted = part.replace("'\0'", "'...'").strip()
            assert any(wanted in text for text in texts), f"nothing says {wanted!r}"


def said(file: Path) -> Iterator[str]:
    """The texts of a module, as they are said but for what is filled in."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
