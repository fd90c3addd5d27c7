"""`leyden predict`, checked against a forward pass written out here."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Completed, called, leyden
from PIL import Image
from torch.nn import functional as F

from lab.data.cifar10 import MEAN, STD


def table(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]


def simple_net(run: Path, inputs: torch.Tensor) -> torch.Tensor:
    w = weights(run)
    hidden = torch.sigmoid(inputs @ w["layers.0.weight"].T + w["layers.0.bias"])
    return torch.sigmoid(hidden @ w["layers.2.weight"].T + w["layers.2.bias"]).flatten()


def test_a_table_of_features_gets_predictions_and_probabilities(
    xor_run: tuple[Path, Completed], tmp_path: Path
) -> None:
    run, _ = xor_run
    (tmp_path / "in.csv").write_text("name,b,a\nfirst,1,0\nsecond,0.5,0.25\n")
    completed = leyden("predict", str(run), f"input={tmp_path}/in.csv", f"output={tmp_path}/out.csv")
    assert (completed.returncode, completed.stderr) == (0, "")
    rows = table(tmp_path / "out.csv")
    assert [(row["row"], row["name"], row["prediction"]) for row in rows] == [
        ("2", "first", "1"),
        ("3", "second", rows[1]["prediction"]),
    ]
    ones = simple_net(run, torch.tensor([[0.0, 1.0], [0.25, 0.5]])).tolist()
    assert [float(row["probability_1"]) for row in rows] == pytest.approx(ones, abs=1e-6)
    assert [float(row["probability_0"]) for row in rows] == pytest.approx([1 - one for one in ones], abs=1e-6)


def test_without_an_output_a_table_is_printed(xor_run: tuple[Path, Completed], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("0,1\n1,1\n")  # no header: columns by their place
    completed = called("predict", str(xor_run[0]), f"input={tmp_path}/in.csv")
    lines = completed.stdout.splitlines()
    assert lines[0].split() == ["row", "0", "1", "prediction", "probability_0", "probability_1"]
    assert [line.split()[:4] for line in lines[1:]] == [["1", "0", "1", "1"], ["2", "1", "1", "0"]]


def test_arrays_and_parquet_give_what_tables_give(sine_run: Path, tmp_path: Path) -> None:
    from pyarrow import parquet
    from pyarrow import table as arrow

    points = np.linspace(0, 20, 7, dtype=np.float32).reshape(-1, 1)
    np.save(tmp_path / "in.npy", points)
    parquet.write_table(arrow({"x": points[:, 0]}), tmp_path / "in.parquet")
    for name in ("in.npy", "in.parquet"):
        completed = called("predict", str(sine_run), f"input={tmp_path}/{name}", f"output={tmp_path}/{name}.csv")
        assert completed.returncode == 0, completed.stderr
    w = weights(sine_run)
    train = torch.linspace(0, 20, 200)
    scaled = (torch.from_numpy(points) - train.mean()) / train.std()
    expected = (
        torch.tanh(scaled @ w["layers.0.weight"].T + w["layers.0.bias"]) @ w["layers.2.weight"].T + w["layers.2.bias"]
    )
    for name in ("in.npy", "in.parquet"):
        predicted = [float(row["prediction"]) for row in table(tmp_path / f"{name}.csv")]
        assert predicted == pytest.approx(expected.flatten().tolist(), abs=1e-5)


def test_bad_rows_are_named_or_left_out_and_counted(xor_run: tuple[Path, Completed], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a,b\n0,1\n0,x\n1\n,1\nnan,1\n1,1\n")
    words = ["predict", str(xor_run[0]), f"input={tmp_path}/in.csv", f"output={tmp_path}/out.csv"]
    completed = called(*words)
    assert (completed.returncode, (tmp_path / "out.csv").exists()) == (1, False)
    assert completed.stderr == (
        f"error: input={tmp_path}/in.csv: row 3: 'x' is not a finite number (b) (and 3 more); "
        "strict=false leaves such inputs out\n"
    )
    completed = called(*words, "strict=false")
    assert [row["row"] for row in table(tmp_path / "out.csv")] == ["2", "7"]
    assert completed.stdout.splitlines() == [
        "left out: row 3: 'x' is not a finite number (b)",
        "left out: row 4: 1 values in place of 2",
        "left out: row 5: a is missing",
        "left out: row 6: 'nan' is not a finite number (a)",
        f"2 predictions, 4 left out: {tmp_path}/out.csv",
    ]


def test_images_of_any_size_get_class_names_and_unreadable_ones_are_named(cifar_run: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(pixels).save(folder / "a.png")
    Image.fromarray(pixels).resize((64, 48)).save(folder / "b.png")
    (folder / "c.jpg").write_text("no image")
    words = ["predict", str(cifar_run), f"input={folder}", f"output={tmp_path}/out.csv"]
    completed = called(*words)
    assert completed.stderr == (
        f"error: input={folder}: {folder}/c.jpg: cannot identify image file '{folder}/c.jpg'; "
        "strict=false leaves such inputs out\n"
    )
    completed = called(*words, "strict=false")
    assert "1 of 3 images were resized to 32 x 32" in completed.stdout
    rows = table(tmp_path / "out.csv")
    assert [row["file"] for row in rows] == [f"{folder}/a.png", f"{folder}/b.png"]
    probabilities = {key[12:]: float(value) for key, value in rows[0].items() if key.startswith("probability_")}
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert rows[0]["prediction"] == max(probabilities, key=probabilities.get)
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    assert list(probabilities.values()) == pytest.approx(cifar_net(cifar_run, images).tolist(), abs=1e-5)


def test_arrays_of_larger_images_are_resized_and_bad_rows_of_arrays_left_out(
    cifar_run: Path, sine_run: Path, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32), dtype=np.uint8)
    for name, images in (("trained", pixels), ("larger", pixels.repeat(2, axis=2).repeat(2, axis=3))):
        np.save(tmp_path / f"{name}.npy", images)
        completed = called("predict", str(cifar_run), f"input={tmp_path}/{name}.npy", f"output={tmp_path}/{name}.csv")
        assert completed.returncode == 0, completed.stderr
        assert ("the images were resized from 64 x 64 to 32 x 32" in completed.stdout) == (name == "larger")
    assert [row["row"] for row in table(tmp_path / "larger.csv")] == ["0", "1"]
    np.save(tmp_path / "nan.npy", np.array([[1.0], [np.nan], [2.0]]))
    words = ["predict", str(sine_run), f"input={tmp_path}/nan.npy", f"output={tmp_path}/nan.csv"]
    assert "row 1 holds a value that is no finite number; strict=false" in called(*words).stderr
    assert called(*words, "strict=false").returncode == 0
    assert [row["row"] for row in table(tmp_path / "nan.csv")] == ["0", "2"]


def cifar_net(run: Path, images: torch.Tensor) -> torch.Tensor:
    """Class probabilities of one image uint8 [1, 3, 32, 32], layer by layer."""
    w = weights(run)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    x = F.gelu(F.conv2d((images / 255 - mean) / std, w["whiten.weight"]))

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        parts = (w[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.gelu(F.batch_norm(x, *parts))

    for group in (1, 2, 3):
        x = norm(F.max_pool2d(F.conv2d(x, w[f"groups.{group}.0.weight"], padding=1), 2), f"groups.{group}.2")
        x = norm(F.conv2d(x, w[f"groups.{group}.4.weight"], padding=1), f"groups.{group}.5")
    return (x.amax((2, 3)) @ w["head.weight"].T / 9).softmax(1)[0]


def test_images_in_another_scale_are_refused(cifar_run: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "scaled.npy", np.full((1, 3, 32, 32), 0.5))
    completed = called("predict", str(cifar_run), f"input={tmp_path}/scaled.npy")
    assert completed.stderr.endswith("holds float64: this model takes whole numbers from 0 to 255\n")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("input=nowhere.csv", "input=nowhere.csv: there is no such file or folder"),
        ("input=src", "input=src: this model takes a .csv, .parquet or .npy file"),
        ("input={tmp}/wide.csv", "input={tmp}/wide.csv has 3 columns: this model takes columns a, b, or exactly 2"),
        ("input={tmp}/wide.npy", "input={tmp}/wide.npy holds float64 [4, 3]: this model takes numbers [N, 2]"),
        ("input={tmp}/pickle.npy", "input={tmp}/pickle.npy is no array that numpy can read: Array can"),
        ("output={tmp}/in.txt", "output={tmp}/in.txt: must end in .csv or .parquet"),
        ("output={tmp}/in.csv", "output={tmp}/in.csv is there already; force=true writes over it"),
        ("output={tmp}/no/out.csv", "output={tmp}/no/out.csv: {tmp}/no is no folder that can be written to"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_or_written_is_said_in_one_line(
    given: str, message: str, xor_run: tuple[Path, Completed], tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("a,b\n0,1\n")
    (tmp_path / "wide.csv").write_text("x,y,z\n1,2,3\n")
    np.save(tmp_path / "wide.npy", np.zeros((4, 3)))
    np.save(tmp_path / "pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    words = {"input": f"input={tmp_path}/in.csv"} | {given.split("=")[0]: given.format(tmp=tmp_path)}
    completed = called("predict", str(xor_run[0]), *words.values())
    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr.startswith(f"error: {message.format(tmp=tmp_path)}")
    assert completed.stderr.count("\n") == 1
    assert (tmp_path / "in.csv").read_text() == "a,b\n0,1\n"
    assert json.loads((xor_run[0] / "result.json").read_text())["status"] == "finished"
