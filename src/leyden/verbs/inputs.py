"""Inputs for a trained model, read from tables, arrays and images."""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.functional import resize

from leyden.errors import UserError

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
LARGEST_IMAGE = 50_000_000  # pixels


@dataclass
class Inputs:
    """What a model is asked about: `values` [N, ...], and columns that say which input is which."""

    values: Tensor
    identity: dict[str, list[Any]]
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_inputs(path: Path, shape: Sequence[int], dtype: torch.dtype, names: Sequence[str], *, strict: bool) -> Inputs:
    """Read a table (CSV, Parquet) or an array (NPY) of features, an image, a folder of images or an array of images.

    `shape` and `dtype` are those of one input that the model was trained on; `names` are those of its features, where
    they have any. Images are resized to the trained size. A bad row or image is an error, or is left out where not
    `strict`.

    Raises UserError for what cannot be read, naming the file and the row.
    """
    if not path.exists():
        raise UserError(f"input={path}: there is no such file or folder")
    images = len(shape) == 3
    if path.suffix == ".npy":
        return _read_array(path, shape, dtype, strict=strict)
    if images and (path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES):
        return _read_images(path, shape, strict=strict)
    if not images and path.suffix in (".csv", ".parquet"):
        return _read_table(path, shape, names, strict=strict)
    kinds = "an image file, a folder of images or an .npy array" if images else "a .csv, .parquet or .npy file"
    raise UserError(f"input={path}: this model takes {kinds}")


def _read_array(path: Path, shape: Sequence[int], dtype: torch.dtype, *, strict: bool) -> Inputs:
    try:
        # Mapped, not read: a header that promises more than the file holds then costs no memory.
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"input={path} is no array that numpy can read: {str(error).splitlines()[0]}") from error
    images = len(shape) == 3 and array.ndim == 4 and array.shape[1] == shape[0]
    if array.dtype.kind not in "biuf" or not (images or tuple(array.shape[1:]) == tuple(shape)):
        wanted = ", ".join(map(str, ["N", *shape]))
        raise UserError(f"input={path} holds {array.dtype} {list(array.shape)}: this model takes numbers [{wanted}]")
    finite = np.isfinite(array).reshape(len(array), -1).all(1)
    bad = [f"row {row} holds a value that is no finite number" for row in np.flatnonzero(~finite)]
    _refuse(path, bad, strict=strict)
    values = torch.from_numpy(array[finite]).to(dtype)
    if dtype == torch.uint8 and not np.array_equal(values.numpy(), array[finite]):
        raise UserError(f"input={path} holds {array.dtype}: this model takes whole numbers from 0 to 255")
    notes = []
    if tuple(values.shape[1:]) != tuple(shape):
        notes.append(f"the images were resized from {array.shape[3]} x {array.shape[2]} to {shape[2]} x {shape[1]}")
        values = resize(values, list(shape[1:]), antialias=True)
    return Inputs(values, {"row": np.flatnonzero(finite).tolist()}, bad, notes)


def _read_table(path: Path, shape: Sequence[int], names: Sequence[str], *, strict: bool) -> Inputs:
    header, rows = _parquet_rows(path) if path.suffix == ".parquet" else _csv_rows(path)
    width = math.prod(shape)
    if set(names) <= set(header) and names:
        chosen = [header.index(name) for name in names]
    elif len(header) == width:
        chosen = list(range(width))
    else:
        wanted = f"columns {', '.join(names)}, or " if names else ""
        raise UserError(f"input={path} has {len(header)} columns: this model takes {wanted}exactly {width} of numbers")
    values, kept, bad = [], [], []
    for number, row in rows:
        problem, numbers = _numbers(row, header, chosen)
        if problem:
            bad.append(f"row {number}: {problem}")
        else:
            values.append(numbers)
            kept.append((number, row))
    _refuse(path, bad, strict=strict)
    identity: dict[str, list[Any]] = {"row": [number for number, _ in kept]}
    identity |= {name: [row[index] for _, row in kept] for index, name in enumerate(header)}
    return Inputs(torch.tensor(values, dtype=torch.float32).view(-1, *shape), identity, bad)


def _csv_rows(path: Path) -> tuple[list[str], Iterator[tuple[int, list[Any]]]]:
    """The names of the columns, and each row with its line number. Without a header the names are numbers."""
    try:
        with path.open(newline="") as file:
            lines = [line for line in enumerate(csv.reader(file), start=1) if line[1]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"input={path} is no CSV table: {error}") from error
    if not lines:
        raise UserError(f"input={path} is empty")
    first = [name.strip() for name in lines[0][1]]
    if any(_number(cell) is not None for cell in first):
        return [str(index) for index in range(len(first))], iter(lines)
    return first, iter(lines[1:])


def _parquet_rows(path: Path) -> tuple[list[str], Iterator[tuple[int, list[Any]]]]:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError as error:
        raise UserError(f"input={path}: reading Parquet needs pyarrow: pip install 'leyden[parquet]'") from error
    try:
        table = parquet.read_table(path)
    except (ArrowInvalid, OSError) as error:
        raise UserError(f"input={path} is no Parquet table: {str(error).splitlines()[0]}") from error
    return table.column_names, enumerate((list(row.values()) for row in table.to_pylist()), start=1)


def _numbers(row: Sequence[Any], header: Sequence[str], chosen: Sequence[int]) -> tuple[str | None, list[float]]:
    """What is wrong with the row, or its features."""
    if len(row) != len(header):
        return f"{len(row)} values in place of {len(header)}", []
    numbers = []
    for index in chosen:
        number = _number(row[index])
        if number is None:
            what = "is missing" if row[index] in (None, "") else f"{row[index]!r} is not a finite number"
            return f"{header[index]} {what}" if what == "is missing" else f"{what} ({header[index]})", []
        numbers.append(number)
    return None, numbers


def _number(cell: Any) -> float | None:
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _read_images(path: Path, shape: Sequence[int], *, strict: bool) -> Inputs:
    """RGB images, resized to [3, H, W] of `shape`."""
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise UserError(f"input={path} holds no image ({', '.join(IMAGE_SUFFIXES)})")
    _, height, width = shape
    images, names, bad, resized = [], [], [], 0
    for file in files:
        try:
            with Image.open(file) as image:
                if image.width * image.height > LARGEST_IMAGE:
                    raise ValueError(f"{image.width} x {image.height} pixels are more than {LARGEST_IMAGE:,}")
                resized += image.size != (width, height)
                pixels = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))
        except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            bad.append(f"{file}: {str(error).splitlines()[0]}")
            continue
        images.append(torch.from_numpy(pixels.copy()).permute(2, 0, 1))
        names.append(str(file))
    _refuse(path, bad, strict=strict)
    values = torch.stack(images) if images else torch.empty(0, *shape, dtype=torch.uint8)
    notes = [f"{resized} of {len(files)} images were resized to {width} x {height}"] if resized else []
    return Inputs(values, {"file": names}, bad, notes)


def _refuse(path: Path, bad: Sequence[str], *, strict: bool) -> None:
    if bad and strict:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise UserError(f"input={path}: {bad[0]}{more}; strict=false leaves such inputs out")
