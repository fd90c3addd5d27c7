"""What a sweep came to."""

import glob
from pathlib import Path

from leyden.errors import UserError
from leyden.sweeps.report_files import write
from leyden.sweeps.summary import Summary, is_sweep, summarize
from leyden.sweeps.table import tell


def report(folder: str, *more: str, output: str | None = None) -> Summary:
    """Sum up a sweep, or any set of runs: what varied, mean over seeds and 95 % interval, the best as a command.

    A folder stands for all runs below it, 'logs/sine/*' for all folders that fit. Of a sweep, sweep.csv, sweep.json
    and sweep.html are written into its folder, while it runs, too; of other runs, into the folder that output= names.
    """
    folders = [path for word in (folder, *more) for path in _folders(word)]
    summary = summarize(*folders)
    tell(summary)
    if output or (len(folders) == 1 and is_sweep(folders[0])):
        for file in write(summary, Path(output) if output else folders[0]):
            print(file)
    return summary


def _folders(word: str) -> list[Path]:
    """The folder, or all that a pattern fits. Raises UserError where there is none."""
    found = [word] if Path(word).exists() else sorted(glob.glob(word))  # noqa: PTH207 (takes absolute patterns, too)
    folders = [Path(path) for path in found if Path(path).is_dir()]
    if not folders:
        raise UserError(f"{word}: there is no such folder")
    return folders
