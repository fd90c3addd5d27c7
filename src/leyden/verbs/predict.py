"""Ask a trained model about new inputs."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from leyden.config.rebuild import Trained, rebuild
from leyden.errors import UserError
from leyden.terminal import show
from leyden.training import SupervisedModule, TensorDataModule
from leyden.verbs import quiet  # noqa: F401
from leyden.verbs.inputs import read_inputs

ROWS_SHOWN = 50
BATCH = 1000

Columns = dict[str, list[Any]]


def predict(
    folder: str,
    *,
    input: str,
    output: str | None = None,
    checkpoint: str | None = None,
    strict: bool = True,
    force: bool = False,
) -> Columns:
    """Ask a run's model about new inputs.

    input= is a .csv, .parquet or .npy file of features, or, for a model of images, an image file, a folder of images or
    an .npy array of bytes [N, 3, H, W]; images of another size are resized. output= is a .csv or .parquet file with the
    inputs' identity, the prediction, and the probability of each class where there are classes; where it is not set, a
    table is printed. strict=false leaves out bad rows and unreadable images, and counts them. force=true writes over an
    output that is there.
    """
    target = None if output is None else _target(Path(output), force=force)
    trained = rebuild(folder, checkpoint)
    data = trained.data
    if not isinstance(data, TensorDataModule) or data.input_shape is None or data.input_dtype is None:
        raise UserError(
            f"{folder}: {type(data).__name__} does not tell the shape of its inputs: it is no TensorDataModule"
        )
    inputs = read_inputs(Path(input), data.input_shape, data.input_dtype, data.feature_names, strict=strict)
    columns = inputs.identity | _answers(trained, inputs.values)
    told = [*inputs.notes, *(f"left out: {bad}" for bad in inputs.skipped)]
    if target is None:
        show(Console(), _table(columns), *told)
    else:
        write_table(target, columns)
        show(Console(), *told, f"{len(inputs.values):,} predictions, {len(inputs.skipped):,} left out: {target}")
    return columns


@torch.inference_mode()
def predictions(trained: Trained, inputs: Tensor) -> Tensor:
    """What the model says [N, ...] to raw inputs [N, ...], normalised as in training."""
    normalize = trained.data.normalize if isinstance(trained.data, TensorDataModule) else None
    parts = [trained.model(normalize(part) if normalize else part) for part in torch.split(inputs, BATCH)]
    return torch.cat(parts)


def _answers(trained: Trained, inputs: Tensor) -> Columns:
    if not len(inputs):
        return {"prediction": []}
    said = predictions(trained, inputs)
    probabilities = trained.model.probabilities(said) if isinstance(trained.model, SupervisedModule) else None
    if probabilities is None:
        said = said.flatten(1) if said.ndim > 1 else said.unsqueeze(1)
        names = ["prediction"] if said.shape[1] == 1 else [f"prediction_{index}" for index in range(said.shape[1])]
        return {name: said[:, index].tolist() for index, name in enumerate(names)}
    classes = getattr(trained.data, "class_names", ()) or [str(index) for index in range(probabilities.shape[1])]
    columns: Columns = {"prediction": [classes[index] for index in probabilities.argmax(1).tolist()]}
    return columns | {f"probability_{name}": probabilities[:, index].tolist() for index, name in enumerate(classes)}


def _target(file: Path, *, force: bool) -> Path:
    """The file to write. Raises UserError before any work is done where it cannot be written."""
    if file.suffix not in (".csv", ".parquet"):
        raise UserError(f"output={file}: must end in .csv or .parquet")
    if file.exists() and not force:
        raise UserError(f"output={file} is there already; force=true writes over it")
    if not os.access(file.parent, os.W_OK):
        raise UserError(f"output={file}: {file.parent} is no folder that can be written to")
    return file


def write_table(file: Path, columns: Mapping[str, list[Any]]) -> None:
    """Write a .csv or .parquet file whole, by rename."""
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        if file.suffix == ".parquet":
            _write_parquet(partial, columns)
        else:
            with partial.open("w", newline="") as opened:
                writer = csv.writer(opened)
                writer.writerow(columns)
                writer.writerows(zip(*columns.values(), strict=True))
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _write_parquet(file: Path, columns: Mapping[str, list[Any]]) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UserError("writing Parquet needs pyarrow: pip install 'leyden[parquet]'") from error
    parquet.write_table(pyarrow.table(dict(columns)), file)


def _table(columns: Columns) -> Table:
    """The first rows; of more than two classes only the probability of the predicted one."""
    probabilities = [name for name in columns if name.startswith("probability_")]
    if len(probabilities) > 2:
        others = {name: values for name, values in columns.items() if name not in probabilities}
        highest = [max(row) for row in zip(*(columns[name] for name in probabilities), strict=True)]
        columns = others | {"probability": highest}
    rows = list(zip(*columns.values(), strict=True))
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows[:ROWS_SHOWN]:
        table.add_row(*(f"{value:.6g}" if isinstance(value, float) else str(value) for value in row))
    if len(rows) > ROWS_SHOWN:
        table.caption = f"{len(rows) - ROWS_SHOWN:,} more: output=FILE.csv writes them all"
    return table
