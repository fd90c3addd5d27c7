"""Real runs of every kind, as a real browser shows them in TensorBoard."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from browser import Browser
from conftest import only_folder, train
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

pytestmark = pytest.mark.browser

TRAINED = {
    "xor": ("trainer.max_epochs=40",),
    "sine": ("trainer.max_epochs=2", "trainer.check_val_every_n_epoch=1"),
    "cifar10": ("trainer.max_epochs=2", "data.batch_size=400"),
}
METRICS = {
    "xor": {"train/loss", "train/accuracy", "val/loss", "val/accuracy", "test/loss", "test/accuracy"},
    "sine": {"train/loss", "train/mse", "val/loss", "val/mse", "test/loss", "test/mse", "test/mse_noiseless"},
    "cifar10": {"train/loss", "train/accuracy", "val/loss", "val/accuracy", "test/loss", "test/accuracy"},
}
PROVENANCE = ("command", "seed", "commit", "python", "packages", "devices", "data")
RATES = ("0.001", "0.1")


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory, tiny_cifar: Path) -> Path:
    """A run of each experiment, and a sweep of two."""
    folder = tmp_path_factory.mktemp("tensorboard") / "logs"
    where = f"paths.log_dir={folder}", f"paths.data_dir={tiny_cifar}"
    for experiment, words in TRAINED.items():
        assert train(f"experiment={experiment}", *words, *where).returncode == 0
    swept = train("-m", "experiment=xor", f"optimizer.lr={','.join(RATES)}", "trainer.max_epochs=20", *where)
    assert swept.returncode == 0, swept.stderr
    return folder


def runs_in(logs: Path) -> dict[str, Path]:
    """The runs by the names that TensorBoard shall give them."""
    return {file.parent.relative_to(logs).as_posix(): file.parent for file in logs.rglob("result.json")}


@contextmanager
def served(logs: Path) -> Iterator[str]:
    """The address of `tensorboard --logdir LOGS`."""
    words = [Path(sys.executable).with_name("tensorboard"), "--logdir", logs, "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        yield next(found[0] for line in process.stderr if (found := re.search(r"http://\S+", line)))
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def board(logs: Path) -> Iterator[str]:
    with served(logs) as url:
        yield url


def shown(browser: Browser, url: str, wanted: set[str]) -> set[str]:
    """The texts of a page, as soon as all that are `wanted` are there."""
    browser.open("about:blank")  # another fragment of the same address would not be loaded
    browser.open(url)
    browser.until(lambda: wanted <= {text.replace("\u200b", "") for text in browser.texts()})
    return {text.replace("\u200b", "") for text in browser.texts()}


def test_time_series_shows_every_run_by_its_folder_and_every_curve(
    browser: Browser, board: str, logs: Path, tmp_path: Path
) -> None:
    names = set(runs_in(logs))
    assert sorted(re.sub(r"\d{4}-\S{14}", "DATE", name) for name in names) == [
        *("cifar10/DATE", "sine/DATE", "xor/DATE", "xor/sweeps/DATE/0", "xor/sweeps/DATE/1")
    ]
    shown(browser, f"{board}?tagFilter={quote('^(train|val|test)/')}#timeseries", names)  # or some groups are folded
    curves = set.union(*METRICS.values())

    def titles() -> set[str]:
        return set(browser.found("card-view tb-truncated-path", "return found.map(card => card.title)"))

    browser.until(lambda: curves <= titles())
    assert titles() == curves
    assert browser.until(lambda: browser.found("line-chart path, line-chart canvas", "return found.length"))
    browser.picture(tmp_path / "time_series.png")


def test_the_text_tab_shows_config_and_provenance_of_every_run(
    browser: Browser, board: str, logs: Path, tmp_path: Path
) -> None:
    runs = runs_in(logs)
    kept = [(folder / name).read_text() for folder in runs.values() for name in ("config.yaml", "provenance.json")]
    texts = shown(browser, f"{board}#text", {"config", "provenance", *runs, *map(str.strip, kept)})
    facts = [json.loads(text) for text in texts if text.startswith("{")]
    assert len(facts) == len(runs)
    for each in facts:
        assert all(key in each or key in each["code"] for key in PROVENANCE)
    browser.picture(tmp_path / "text.png")


def test_hparams_shows_of_a_sweep_just_what_varied_beside_real_metrics(
    browser: Browser, logs: Path, tmp_path: Path
) -> None:
    sweep = only_folder(logs / "xor" / "sweeps")
    results = [json.loads(file.read_text())["metrics"] for file in sweep.glob("*/result.json")]
    values = {f"{result['test/loss']:.5g}" for result in results}
    with served(sweep) as url:
        texts = shown(browser, f"{url}#hparams", {"optimizer.lr", "test/loss", "test/accuracy", *values, "0.10000"})
        assert not [text for text in texts if re.match(r"(model|data|trainer|scheduler)\.|seed$|hp_metric", text)]
        browser.picture(tmp_path / "hparams.png")


def test_images_shows_the_figures_of_every_experiment(browser: Browser, board: str, logs: Path, tmp_path: Path) -> None:
    names: set[str] = set()
    for experiment in TRAINED:
        run = next(folder for name, folder in runs_in(logs).items() if re.match(rf"{experiment}/\d", name))
        events = EventAccumulator(str(run))
        events.Reload()
        pictures = events.Tags()["images"]
        assert pictures, f"{experiment} has logged no picture"
        names |= set(pictures)
    shown(browser, f"{board}#images", names)
    loaded = "return found.filter(image => image.naturalWidth > 0).length"
    browser.until(lambda: browser.found("img[src*=individualImage]", loaded) >= len(TRAINED))
    browser.picture(tmp_path / "images.png")
