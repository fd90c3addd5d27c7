"""Curves as a table."""

import csv
import io
import math
import os
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from leyden.files import sync, write_whole
from leyden.training.loggers.of_runs import Params, RunLogger


class CSVLogger(RunLogger, Logger):
    """The logged scalars as `metrics.csv` in `save_dir`: a row for each step, a column for each name.

    A name that is logged for the first time later on becomes a new column; a file that is there already is continued.
    """

    def __init__(self, save_dir: str | os.PathLike[str]) -> None:
        super().__init__()
        self.file = Path(save_dir) / "metrics.csv"
        self._columns: list[str] | None = None  # as they stand in the file; None until it is looked at
        self._rows: list[dict[str, Any]] = []

    @property
    def name(self) -> str:
        return ""

    @property
    def version(self) -> str:
        return ""

    @property
    def save_dir(self) -> str:
        return str(self.file.parent)

    @rank_zero_only
    def log_hyperparams(self, params: Params, *args: Any, **kwargs: Any) -> None:
        """A table of curves has no place for them: they stand in the run's config."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if not self._rows or self._rows[-1]["step"] != step:
            self._rows.append({"step": step})
        self._rows[-1].update({name: float(value) for name, value in metrics.items()})

    @rank_zero_only
    def save(self) -> None:
        if self.is_save_due():
            self._write(len(self._rows) - 1)  # the last row may not be complete yet

    @rank_zero_only
    def flush(self, before: float = math.inf) -> None:
        """Write the rows of all steps before that one: nothing more is logged at them."""
        self._write(sum(row["step"] < before for row in self._rows))
        if self.file.exists():
            sync(self.file)

    def finalize(self, status: str) -> None:
        with suppress(OSError) if status == "failed" else nullcontext():  # not in place of why it failed
            self.flush()

    def _write(self, count: int) -> None:
        rows, self._rows = self._rows[:count], self._rows[count:]
        if not rows:
            return
        if self._columns is None:
            self._columns = self._read()[0]
        if all(name in self._columns for row in rows for name in row):
            with self.file.open("a", newline="") as file:
                csv.DictWriter(file, self._columns).writerows(rows)
        else:
            self._replace(self._read()[1] + rows)

    def history(self) -> dict[str, tuple[list[float], list[float]]]:
        """Of every name that was logged in training: after how many epochs, and which value."""
        found: dict[str, tuple[list[float], list[float]]] = {}
        for row in [*self._read()[1], *self._rows]:
            for name, value in row.items():
                if name not in ("step", "epoch") and value != "" and row.get("epoch", "") != "":
                    epochs, values = found.setdefault(name, ([], []))
                    epochs.append(float(row["epoch"]) + 1)
                    values.append(float(value))
        return found

    @rank_zero_only
    def continue_from(self, step: int) -> None:
        """Drop the rows that an earlier logger of this folder wrote from `step` on."""
        if self.file.exists():
            self._replace([row for row in self._read()[1] if int(row["step"]) < step])

    def _replace(self, rows: list[dict[str, Any]]) -> None:
        """Write the file anew, with a column for every name."""
        self._columns = list(dict.fromkeys(["step", *(name for row in rows for name in row)]))
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, self._columns)
        writer.writeheader()
        writer.writerows(rows)
        write_whole(self.file, table.getvalue().encode())

    def _read(self) -> tuple[list[str], list[dict[str, Any]]]:
        if not self.file.exists():
            return [], []
        whole = self.file.read_text().rpartition("\n")[0]  # without a row that a kill or a full disk has cut short
        reader = csv.DictReader(whole.splitlines())
        return list(reader.fieldnames or []), list(reader)
