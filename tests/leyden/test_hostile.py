"""Files and words that mean harm: no code is run, nothing hangs or eats memory, and each gets one clear line."""

import json
import re
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from conftest import called


@pytest.fixture
def run(sine_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(sine_run, tmp_path / "run")
    return tmp_path / "run"


class Touch:
    """Where it is unpickled, a file is made."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> object:
        return Path.touch, (self.file,)


def refused(*words: object) -> str:
    completed = called(*map(str, words))
    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr.startswith("error: ")
    assert completed.stderr.count("\n") == 1
    return completed.stderr.removeprefix("error: ").rstrip()


def code(file: Path, run: Path) -> None:
    torch.save({"state_dict": Touch(run / "it_ran")}, file)


def cut_short(file: Path, run: Path) -> None:
    file.write_bytes(file.read_bytes()[:-500])


@pytest.mark.parametrize(
    ("damage", "why"),
    [(code, "no plain data and could run code"), (cut_short, "it is cut short, or was not written by torch.save")],
)
def test_a_checkpoint_that_is_code_or_cut_short(damage: Callable[[Path, Path], None], why: str, run: Path) -> None:
    for name in ("best", "last"):
        damage(run / "checkpoints" / f"{name}.ckpt", run)
    for words in (
        ("evaluate", run),
        ("predict", run, "input=x.csv"),
        ("export", run, "format=onnx"),
        ("train", f"resume={run}", "trainer.max_epochs=30"),
        ("train", "experiment=sine", f"init_from={run}", f"paths.log_dir={run}/logs"),
    ):
        assert re.search(rf"\.ckpt is damaged .*{why}", refused(*words))
    assert not (run / "it_ran").exists()


HARMFUL = (
    *("os.system", "torch.os.system", "torch.hub.load", "lab.data.cifar10.os.system", "leyden.cli.main"),
    *("torch.fx.graph_module._exec_with_source", "torch.ops.load_library", "torchvision.io.write_file"),
    *("lightning.fabric.utilities.cloud_io._load", "lab.models.SimpleNet.load_from_checkpoint"),
)
KEYS = ("data", "optimizer", "trainer.profiler", "callbacks.last")


@pytest.mark.parametrize(
    ("key", "target"), [*(("model", target) for target in HARMFUL), *((key, "os.system") for key in KEYS)]
)
def test_a_config_that_calls_what_it_should_not(key: str, target: str, run: Path) -> None:
    for name in ("config.yaml", ".hydra/config.yaml"):
        config = yaml.safe_load((run / name).read_text())
        place = config
        for part in key.split("."):
            place = place.setdefault(part, {})
        place.clear()
        place |= {"_target_": target, "command": f"touch {run}/it_ran"}
        config["targets"] = ["os", "posix"]
        (run / name).write_text(yaml.safe_dump(config))
    verbs = [("train", f"resume={run}", "trainer.max_epochs=30")]
    if key in ("model", "data"):
        verbs += [("evaluate", run), ("predict", run, "input=x.csv")]
    for words in verbs:
        said = refused(*words)
        assert said.startswith(f"{key}._target_")
        assert "is in none of the packages that are allowed" in said or "could run any code" in said
    assert not (run / "it_ran").exists()


@pytest.mark.parametrize("word", ["targets=[os]", "--config-dir=/tmp", "+hydra.callbacks.x._target_=os.system"])
def test_the_words_of_a_run_that_would_be_trusted_with_all(word: str, run: Path) -> None:
    file = run / ".hydra" / "overrides.yaml"
    file.write_text(yaml.safe_dump([*yaml.safe_load(file.read_text()), word]))
    assert refused("train", f"rerun={run}").endswith(
        f"its command holds {word}, which no run folder is trusted with: give it again"
    )


def test_a_log_config_that_calls_what_it_should_not(run: Path) -> None:
    file = run / ".hydra" / "hydra.yaml"
    hydra = yaml.safe_load(file.read_text())
    hydra["hydra"]["job_logging"]["handlers"]["console"] = {"()": "pathlib.Path.touch", "self": f"{run}/it_ran"}
    file.write_text(yaml.safe_dump(hydra))
    completed = called("train", f"resume={run}", "trainer.max_epochs=21")
    assert completed.returncode == 0, completed.stderr
    assert not (run / "it_ran").exists()


def test_a_page_of_aliases(run: Path) -> None:
    lines = [
        "a0: &a0 [x, x]",
        *(f"a{number}: &a{number} [*a{number - 1}, *a{number - 1}]" for number in range(1, 1000)),
    ]
    (run / "config.yaml").write_text("\n".join(["format: 1", *lines]))
    for words in (("evaluate", run), ("train", f"resume={run}"), ("train", f"rerun={run}"), ("diff", run, run)):
        assert (
            refused(*words) == f"{run}/config.yaml is damaged: it holds YAML aliases (*name), which no run folder has"
        )
    assert called("runs", str(run)).returncode == 0


def test_what_is_nested_without_end(run: Path) -> None:
    (run / "result.json").write_text('{"format": 1}')
    assert "result.json is damaged: it does not say epochs, last_checkpoint" in refused("train", f"resume={run}")
    (run / "result.json").write_text("[" * 100_000)
    assert refused("train", f"resume={run}").startswith(f"{run}/result.json is damaged")
    assert "damaged" in called("runs", str(run)).stdout
    (run / "config.yaml").write_text("[" * 100_000)
    assert refused("evaluate", run) == f"{run}/config.yaml is damaged: it is nested more than 50 deep"


def doubled(reference: str) -> dict[str, Any]:
    """Sixty values, each of which refers twice to the one before it."""
    pages: dict[str, Any] = {"a0": "x" * 10, "b0": ["x" * 10]}
    for number in range(1, 60):
        pages[f"a{number}"] = 2 * reference.replace("N", str(number - 1))
        pages[f"b{number}"] = [2 * f"${{b{number - 1}[0]}}"]
        pages[f"n{number}"] = f"a{number}"
    return pages


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (doubled("${aN}"), "its interpolations would grow without end"),
        ({"b": doubled("")} | doubled("${b.bN}") | {"b0": "${b.a3}"}, "its interpolations would grow without end"),
        ({"c": {"x": "${.y}${.y}", "y": "${c}"}, **doubled("${.aN}")}, "its interpolations would grow without end"),
        (doubled("${oc.select:aN}"), "holds an interpolation that is not known here"),
        (doubled("${ aN }"), "holds an interpolation that is not known here"),
        (doubled("${${nN}}"), "holds an interpolation that is not known here"),
        ({"a": "x" * 600} | {f"k{number}": "${a}" for number in range(2000)}, "its interpolations would grow"),
        ({"a": "x" * 200_000}, "it is larger than 100,000 bytes"),
    ],
)
def test_a_page_of_interpolations(page: dict[str, Any], why: str, run: Path) -> None:
    file = run / "config.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | page))
    said = refused("evaluate", run)
    assert said.startswith(f"{file} is damaged: ")
    assert why in said


def test_a_composed_config_that_would_grow_without_end_is_left_alone(run: Path) -> None:
    file = run / ".hydra" / "config.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | doubled("${aN}")))
    completed = called("train", f"resume={run}", "trainer.max_epochs=21")
    assert completed.returncode == 0, completed.stderr
    assert json.loads((run / "result.json").read_text())["epochs"] == 21


def png(width: int, height: int) -> bytes:
    """An image file that says how large it is, and holds nothing."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_bombs_given_to_predict(cifar_run: Path, run: Path) -> None:
    bomb = run / "bomb.png"
    bomb.write_bytes(png(60_000, 60_000))
    assert "pixels" in refused("predict", cifar_run, f"input={bomb}")
    array = run / "bomb.npy"
    np.save(array, np.zeros((1, 1), dtype=np.float32))
    content = array.read_bytes().replace(b"(1, 1)", b"(999999999999, 1)")
    array.write_bytes(content[:10] + content[10:])
    assert refused("predict", run, f"input={array}").startswith(f"input={array} is no array that numpy can read")


@pytest.mark.parametrize(
    "word", ["model=../../evil", "experiment=/etc/passwd", "name=../evil", "name=/tmp/evil", "experiment=[xor,../x]"]
)
def test_a_path_that_leads_out(word: str, tmp_path: Path) -> None:
    said = refused("train", word, f"paths.log_dir={tmp_path}/logs")
    assert said == f"{word}: must be a plain name, with no way out of the folder that it is looked for in"
    assert list(tmp_path.iterdir()) == []


def test_a_group_of_a_run_that_leads_out(run: Path) -> None:
    assert "must be a plain name" in refused("evaluate", run, "data=../../evil")


def test_a_package_of_ones_own_is_allowed_by_one_key(tmp_path: Path) -> None:
    words = ["train", "experiment=xor", "trainer.max_epochs=1", f"paths.log_dir={tmp_path}"]
    said = refused(*words, "optimizer._target_=plain_lightning.PlainModel")
    assert said.endswith(
        "(leyden, lightning, torch, torchmetrics, torchvision, lab); targets in configs/train.yaml adds one"
    )
    said = refused(*words, "optimizer._target_=plain_lightning.Nothing", "targets=[lab,plain_lightning]")
    assert said.startswith(
        "optimizer._target_=plain_lightning.Nothing (on the command line): cannot be found (module 'plain"
    )
    assert json.dumps(sorted(path.name for path in tmp_path.iterdir())) == "[]"
