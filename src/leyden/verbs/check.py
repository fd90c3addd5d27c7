"""Whether every experiment of the project would begin to train, with each choice that one can make over it."""

import tempfile
from pathlib import Path

from rich.console import Console

from leyden.config.app import options_of, use_paths_of
from leyden.config.words import composing
from leyden.errors import UserError
from leyden.nearest import did_you_mean
from leyden.project import project_folder
from leyden.terminal import show
from leyden.verbs.findings import FAULT, NONE, Finding, lines, table


def check(*, experiment: str | None = None, steps: int = 0) -> None:
    """Look for mistakes in every experiment, alone and with each option over it, without training.

    All that a training would refuse before its first step is looked for: arguments, keys that nothing reads, models and
    data that do not fit, a metric that is not logged. Options that an experiment's own keys are not for are left out,
    and so is what the machine has not: GPUs, or data that would have to be downloaded. experiment=xor looks at one;
    steps=1 takes that many training steps, of small batches, with the experiment and with each optimizer and scheduler
    over it. Ends with exit status 1 where there is a fault.
    """
    if steps < 0:
        raise UserError(f"steps={steps}: must be 0 or more")
    project = project_folder(Path.cwd())
    configs = project / "configs"
    names = options_of(configs, "experiment")
    if experiment is not None and experiment not in names:
        raise UserError(f"experiment={experiment}: no such option{did_you_mean(experiment, names)}")
    from leyden.verbs.look import Look  # takes seconds: torch and lightning

    use_paths_of(project)
    findings: list[Finding] = []
    with composing(configs), tempfile.TemporaryDirectory() as folder:
        for name in [*names, None] if experiment is None else [experiment]:
            findings += Look(configs, Path(folder), steps, name).all()
    console = Console()
    tables = [[each for each in findings if (each.experiment == NONE) == none] for none in (False, True)]
    show(console, *(table(part) for part in tables if part), *lines(findings))
    if faults := sum(each.verdict == FAULT for each in findings):
        raise UserError(f"{faults} of {len(findings)} would not train")
