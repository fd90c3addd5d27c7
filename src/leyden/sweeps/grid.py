"""Every combination of the values that the command lists."""

from collections.abc import Sequence
from itertools import product

from hydra.core.override_parser.types import Override

from leyden.runs.folder import RunFolder
from leyden.sweeps.jobs import DONE, numbered, values_of, varied_in
from leyden.sweeps.sweeper import SweepInFolder


class GridSweeper(SweepInFolder):
    """Runs every point that is not done, in the order of the command."""

    def check(self, overrides: Sequence[Override]) -> None:
        self.validate_batch_is_legal(points(overrides))

    def run(self, overrides: Sequence[Override]) -> None:
        jobs = numbered(points(overrides), self.folder)
        missing = [job for job in jobs if job.status() not in DONE]
        elsewhere = [job for job in missing if job.run.is_locked()]
        done = len(jobs) - len(missing)
        print(f"{len(jobs)} jobs, of which {done} are done, in {RunFolder(self.folder)}", flush=True)
        for job in elsewhere:
            print(f"job {job.number} is left alone: another process trains it", flush=True)
        missing = sorted((job for job in missing if job not in elsewhere), key=lambda job: job.status() == "failed")
        self.launch(iter(missing), varied_in(overrides))


def points(overrides: Sequence[Override]) -> list[list[str]]:
    """The words of each. Raises UserError for a range without steps, and for a list without values."""
    return [list(words) for words in product(*values_of(overrides).values())]
