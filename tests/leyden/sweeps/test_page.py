"""The page as a real browser shows it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import called
from run_folders import as_trial, begun, write_run

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--virtual-time-budget=5000"),
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no network
)
HOSTILE = "</script><img src=x onerror=document.title='caught'>"


def seen(page: Path, profile: Path) -> str:
    """The page's elements after its scripts have run, without the scripts."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser:
        pytest.skip("no browser is found: apt-get install chromium")
    words = [browser, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    shown = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout
    return re.sub(r"<script>.*?</script>", "", shown, flags=re.DOTALL)


def texts(elements: str, kind: str) -> list[str]:
    """What stands in the elements of a class."""
    return re.findall(rf'<text[^>]*class="[^"]*\b{kind}\b[^"]*"[^>]*>([^<]*)<', elements)


@pytest.mark.browser
def test_a_browser_draws_every_figure_of_a_sweep(tmp_path: Path) -> None:
    number = 0
    for lr, model in ((0.001, "mlp"), (0.1, "mlp"), (0.1, "cnn")):
        for seed in (0, 1):
            words = [f"optimizer.lr={lr}", f"model={model}", f"seed={seed}"]
            write_run(tmp_path / str(number), words, lr + seed, [3.0, 2.0, None, lr + seed])
            number += 1
    failed = {"status": "failed", "error": HOSTILE, "name": HOSTILE}
    write_run(tmp_path / str(number), [f"model={HOSTILE}"], 0.5, [1.0], **failed)
    (tmp_path / "multirun.yaml").touch()
    assert called("report", str(tmp_path)).returncode == 0

    elements = seen(tmp_path / "sweep.html", tmp_path / "profile")
    cells = re.findall(r"<td[^>]*>(.*?)</td>", elements)
    assert cells[:8] == ["0.001", "mlp", "0.5", "± 6.4", "2", "0", "2.0", "0.1"]
    assert [cell for cell in cells if cell.startswith("<a")] == [f'<a href="{job}/">{job}</a>' for job in range(7)]
    assert texts(elements, "xtitle") == ["optimizer.lr", "model", "step"]
    assert texts(elements, "ytitle") == ["val/loss"] * 3
    assert texts(elements, "axis-title") == ["optimizer.lr", "model", "val/loss"]
    assert elements.count('class="trace scatter ') == 2 * 2 + 7  # the means and the dots of two plots, and the curves
    assert len(re.findall(r'class="point"', elements)) == 2 * 7 + 1  # and the curve that is a single point
    assert "<title>sine, &lt;/script&gt;" in elements
    assert "<img" not in elements


@pytest.mark.browser
@pytest.mark.parametrize("count", [9, 11])
def test_a_browser_draws_a_search_for_two_objectives(tmp_path: Path, count: int) -> None:
    """Its rates are drawn evenly in the logarithm; its model comes out as one, and yet was searched."""
    kinds = pytest.importorskip("optuna.distributions")
    objectives = {"val/loss": "min", "val/accuracy": "max"}
    space = {"optimizer.lr": kinds.FloatDistribution(1e-5, 2e-4, log=True)}
    space |= {"model": kinds.CategoricalDistribution(["mlp", "cnn"])}
    for number in range(count):
        values = {"optimizer.lr": (number + 1) / 1e5, "model": "mlp"}
        words = [f"{key}={value}" for key, value in values.items()]
        reached = {"val/loss": float(number), "val/accuracy": 0.1 * min(number, 3), "test/mse": 1.0}
        as_trial(write_run(tmp_path / str(number), words, 0.0, [2.0, 1.0], metrics=reached), values, space)
    settings = {"n_trials": 20, "sampler": "nsgaii", "objectives": objectives}
    begun(tmp_path, "optimizer.lr=tag(log,interval(1e-5,2e-4))", "model=mlp,cnn", **settings)
    called("report", str(tmp_path))

    elements = seen(tmp_path / "sweep.html", tmp_path / "profile")
    assert f"{count} of 20 runs" in elements
    two = ["val/loss", "val/accuracy"]
    assert texts(elements, "ytitle") == ["val/accuracy", *two, *two, *two, "val/loss"]
    shown = ["importance"] if count == 11 else []
    assert texts(elements, "xtitle") == [
        *("val/loss", "trial", "trial", *shown, "optimizer.lr", "optimizer.lr", "model", "model", "step")
    ]
    assert ("Importances: from 10 finished trials of two parameters on" in elements) is (count == 9)
    assert {"1e\N{MINUS SIGN}5", "2e\N{MINUS SIGN}5"} <= set(re.findall(r">([^<>]*)</text>", elements))
    assert elements.count("<td>*</td>") == 4
    assert ('class="legend"' in elements) is (count == 9)
    heads = re.findall("<th[^>]*>(.*?)</th>", elements)
    assert heads[-9:] == ["folder", "status", "optimizer.lr", "model", "seed", *two, "test/mse", "seconds"]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("value", "curve", "drawn"), [(1.0, [2.0, 1.0], ["step"]), (None, [], [])], ids=["one run", "nothing finished"]
)
def test_a_browser_shows_a_page_of_little(
    tmp_path: Path, value: float | None, curve: list[float], drawn: list[str]
) -> None:
    write_run(tmp_path / "0", [], value, curve, status="finished" if curve else "failed")
    called("report", str(tmp_path), f"output={tmp_path}")
    elements = seen(tmp_path / "sweep.html", tmp_path / "profile")
    assert texts(elements, "xtitle") == drawn
    assert ("no run has logged val/loss to its metrics.csv" in elements) is not bool(drawn)


def test_a_page_needs_no_network_and_draws_few_points_of_long_curves(tmp_path: Path) -> None:
    for number in range(3):
        write_run(tmp_path / str(number), [f"seed={number}"], 1.0, [1.0] * 20_000)
    called("report", str(tmp_path), f"output={tmp_path}")
    html = (tmp_path / "sweep.html").read_text()
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=", html)
    assert html.count("20000") > html.count("19999")  # the last point is kept
    assert len(html) < 5_500_000
