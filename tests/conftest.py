"""What several tests share: the real command line, runs that were trained once, and CIFAR-10 in miniature."""

import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from forkserver import ONE_THREAD, Completed, ForkServer
from safetensors.torch import save_file

from leyden.cli import main
from leyden.config.app import use_paths_of

pytest_plugins = ["slurm_cluster"]

# Under nohup, or in the background of a script, they are ignored, and so they would be by all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

PROJECT = Path(__file__).parents[1]
CONFIGS = PROJECT / "configs"
EXPERIMENTS = sorted(file.stem for file in (CONFIGS / "experiment").glob("*.yaml"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The README's commands and those of docs/ come first: at the end they would keep one process busy alone."""
    items.sort(key=lambda item: "test_docs" not in item.nodeid)


def command(*words: str, cwd: Path = PROJECT, **environment: str) -> Completed:
    """What a shell would have seen of `WORDS` in the project's environment, without a terminal."""
    program, *arguments = words
    return subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=cwd,
        env={**os.environ, **ONE_THREAD, **environment},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )


def train(*overrides: str, **environment: str) -> Completed:
    """`python train.py`, but that torch is imported already."""
    return server().run(["python", "train.py", *overrides], PROJECT, **environment)


def leyden(*words: str, **environment: str) -> Completed:
    """The same of `leyden`."""
    return server().run(["leyden", *words], PROJECT, **environment)


@cache
def server() -> ForkServer:
    return ForkServer()


def started(*words: str, cwd: Path = PROJECT) -> subprocess.Popen[str]:
    """`train` that is not waited for, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "train.py", *words],
        cwd=cwd,
        env={**os.environ, **ONE_THREAD},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def called(*words: str) -> Completed:
    """The same as `leyden`, in this process: for the many small cases that differ in their words alone."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(words)
        except SystemExit as stop:
            status = int(stop.code or 0)
    return Completed(words, status, out.getvalue(), err.getvalue())


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """A copy of the project's configs, to be spoilt."""
    use_paths_of(PROJECT)
    return Path(shutil.copytree(CONFIGS, tmp_path / "configs"))


def only_folder(parent: Path) -> Path:
    """The one folder in `parent`."""
    (folder,) = (path for path in parent.iterdir() if path.is_dir())
    return folder


@pytest.fixture(scope="session")
def xor_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Completed]:
    """The folder and the output of `python train.py experiment=xor`, which is what `make train` runs."""
    logs = tmp_path_factory.mktemp("logs")
    completed = command("python", "train.py", "experiment=xor", f"paths.log_dir={logs}")
    assert completed.returncode == 0, completed.stderr
    return only_folder(logs / "xor"), completed


def tiny_images(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ten classes of images uint8 [count, 3, 32, 32] that differ in brightness, under noise, and their labels."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    noise = generator.integers(0, 30, (count, 3, 32, 32))
    return torch.from_numpy((noise + 20 * labels[:, None, None, None]).astype(np.uint8)), torch.from_numpy(labels)


@pytest.fixture(scope="session")
def tiny_cifar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with `cifar10.safetensors` of 2,400 training and 100 test images of no real thing."""
    folder = tmp_path_factory.mktemp("data")
    train_images, train_labels = tiny_images(2400, seed=0)
    test_images, test_labels = tiny_images(100, seed=1)
    save_file(
        {
            "train_images": train_images,
            "train_labels": train_labels,
            "test_images": test_images,
            "test_labels": test_labels,
        },
        folder / "cifar10.safetensors",
    )
    return folder


@pytest.fixture(scope="session")
def real_cifar() -> Path:
    """The folder with the real images, which LEYDEN_DATA_DIR names."""
    folder = Path(os.environ.get("LEYDEN_DATA_DIR", ""))
    if not (folder / "cifar10.safetensors").is_file():
        pytest.skip("the real images are missing: LEYDEN_DATA_DIR must name a folder with cifar10.safetensors")
    return folder


@pytest.fixture(scope="session")
def sine_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short training of the MLP on the wave."""
    logs = tmp_path_factory.mktemp("logs")
    completed = train("experiment=sine", "trainer.max_epochs=20", f"paths.log_dir={logs}")
    assert completed.returncode == 0, completed.stderr
    return only_folder(logs / "sine")


@pytest.fixture(scope="session")
def cifar_run(tmp_path_factory: pytest.TempPathFactory, tiny_cifar: Path) -> Path:
    """A few steps of the CNN on images of no real thing."""
    logs = tmp_path_factory.mktemp("logs")
    overrides = "experiment=cifar10", "data.batch_size=100", "trainer.max_epochs=2"
    completed = train(*overrides, f"paths.log_dir={logs}", f"paths.data_dir={tiny_cifar}")
    assert completed.returncode == 0, completed.stderr
    return only_folder(logs / "cifar10")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB, so that it can be filled."""
    folder = tmp_path / "small_disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs needs root, on Linux")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)  # logs in it may still be open
