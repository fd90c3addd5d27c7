"""The documentation site, built as `make docs` builds it, in a copy of the project."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from browser import Browser
from conftest import CONFIGS, PROJECT, Completed, command
from dead_links import dead_links

PARTS = ("configs", "docs", "src", "README.md", "zensical.toml")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("site") / "project"
    (project / "scripts").mkdir(parents=True)
    shutil.copy(PROJECT / "scripts" / "reference.py", project / "scripts")
    for name in PARTS:
        if (PROJECT / name).is_dir():
            left_out = shutil.ignore_patterns("__pycache__", "local", "reference")
            shutil.copytree(PROJECT / name, project / name, ignore=left_out)
        else:
            shutil.copy(PROJECT / name, project)
    made = command("python", "scripts/reference.py", cwd=project, PYTHONPATH=str(project / "src"))
    assert made.returncode == 0, made.stderr
    return project


def built(project: Path) -> Completed:
    return command("zensical", "build", "--clean", "--strict", cwd=project)


@pytest.fixture(scope="module")
def site(project: Path) -> Path:
    completed = built(project)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return project / "build" / "docs"


def test_every_page_is_there_and_every_link_of_it_leads_somewhere(project: Path, site: Path) -> None:
    written = {page.relative_to(project / "docs").with_suffix("") for page in (project / "docs").rglob("*.md")}
    pages = {page.relative_to(site).with_suffix("") for page in site.rglob("*.html")}
    assert pages - {Path("404")} == written
    assert {Path(name) for name in ("index", "concepts", "howto/add_a_model", "reference/configs")} <= written
    assert list(dead_links(site)) == []


def test_every_page_is_in_the_navigation() -> None:
    named = re.findall(r'^ *\{ "[^"]+" = "([^"]+\.md)" \},', (PROJECT / "zensical.toml").read_text(), re.MULTILINE)
    pages = {str(page.relative_to(PROJECT / "docs")) for page in (PROJECT / "docs").rglob("*.md")}
    generated = {name for name in named if name.startswith("reference/")}
    assert set(named) - generated == {page for page in pages if not page.startswith("reference/")}


def test_the_search_knows_what_the_pages_say(site: Path) -> None:
    found = {item["location"]: item["text"] for item in json.loads((site / "search.json").read_text())["items"]}
    text = " ".join(found.values())
    for words in ("residual_net", "sweep.resume", "nonfinite.ckpt", "BestCheckpoint", "checkpoint.every_n_minutes"):
        assert words in text
    assert any(location.startswith("troubleshooting.html#") for location in found)


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        fetched = re.findall(
            r"<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)=\"?(https?:[^\s\">]+)", page.read_text()
        )
        assert fetched == [], page
    for sheet in site.rglob("*.css"):
        assert "@import" not in (text := sheet.read_text())
        assert not re.search(r"url\(['\"]?(https?:|//)", text), sheet


def test_every_config_and_every_public_class_is_in_the_reference(site: Path) -> None:
    reference = {page.stem: page.read_text() for page in (site / "reference").glob("*.html")}
    for file in CONFIGS.rglob("*.yaml"):
        group = str(file.parent.relative_to(CONFIGS))
        if group not in (".", "local"):
            assert f'id="{group}-{file.stem}"'.replace("/", "-") in reference["configs"], file
    for file in (PROJECT / "src").rglob("*.py"):
        module = ".".join(file.relative_to(PROJECT / "src").with_suffix("").parts).removesuffix(".__init__")
        page = "lab" if module.startswith("lab") else "training" if module.startswith("leyden.training") else "engine"
        for name in re.findall(r"^class ([A-Z]\w*)", file.read_text(), re.MULTILINE):
            assert module.startswith("leyden.sweeps.plugins") or f'id="{module}.{name}"' in reference[page], name


def test_a_dead_link_is_an_error(project: Path, site: Path) -> None:
    page = project / "docs" / "limits.md"
    before = page.read_text()
    for link in ("[x](nowhere.md)", "[x](concepts.md#nowhere)"):
        page.write_text(f"{before}\n{link}\n")
        assert built(project).returncode == 1
    page.write_text(f"{before}\n![x](nowhere.png)\n")
    assert built(project).returncode == 0  # to files the generator does not look
    assert list(dead_links(site)) == ["limits.html: nowhere.png leads nowhere"]
    page.write_text(before)


TYPED = """
const box = found.at(-1);
Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(box, 'nonfinite.ckpt');
box.dispatchEvent(new Event('input', {bubbles: true, composed: true}));
"""


@pytest.mark.browser
def test_a_word_that_is_typed_into_the_search_box_finds_its_pages(site: Path) -> None:
    words = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(site)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        (address,) = re.findall(r"http://\S+/", server.stdout.readline())
        with Browser() as browser:
            browser.open(f"{address}index.html")
            browser.until(lambda: browser.found(".md-search__button", "return found.map(each => each.click()).length"))
            browser.until(lambda: browser.found("input[aria-label=Search]", "return found.length"))
            browser.found("input[aria-label=Search]", TYPED)
            found = "return found.map(each => each.href).filter(each => each.includes('h=nonfinite'))"
            links = browser.until(lambda: browser.found("a", found))
    finally:
        server.terminate()
        server.wait()
    assert {link.removeprefix(address).partition("?")[0] for link in links} >= {
        "howto/resume.html",
        "reference/verbs.html",
    }
