"""Whether every experiment of the project would begin to train, with each choice that one can make over it."""

import copy
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table
from rich.text import Text

from leyden.config.app import use_paths_of
from leyden.config.build import build_data, build_initial, build_trainer, lacks_gpu, seed_all
from leyden.config.explain import explain
from leyden.config.origin import Origin
from leyden.config.signatures import problems
from leyden.config.words import checked_loader
from leyden.errors import UserError
from leyden.nearest import did_you_mean
from leyden.project import project_folder
from leyden.terminal import show
from leyden.training import SupervisedModule, TensorDataModule
from leyden.training.agreement import disagreements, unlogged
from leyden.training.callbacks import Progress
from leyden.training.schedulers import is_told_steps
from leyden.verbs import quiet  # noqa: F401
from leyden.verbs.train import build_callbacks, built_loggers, guards

OVER_EACH = ("optimizer", "scheduler", "trainer", "callbacks", "logger")
ALONE = ("model", "data", "debug")  # which of them go together is not known: their arguments alone are looked at
STEPPED = ("", "optimizer", "scheduler")
SMALL = 32  # samples in the batch of a step
NONE = "(no experiment)"
OK, FAULT, SKIPPED, UNFIT = "ok", "fault", "skipped", "does not fit"


def check(*, experiment: str | None = None, steps: int = 0) -> None:
    """Look for mistakes in every experiment, alone and with each option over it, without training.

    All that a training would refuse before its first step is looked for: arguments, models and data that do not fit, a
    metric that is not logged. Options that an experiment's own keys are not for are left out, and so is what the
    machine has not: GPUs, or data that would have to be downloaded. experiment=xor looks at one; steps=1 takes that
    many training steps, of small batches, with the experiment and with each optimizer and scheduler over it. Ends with
    exit status 1 where there is a fault.
    """
    project = project_folder(Path.cwd())
    configs = project / "configs"
    names = _options(configs, "experiment")
    if experiment is not None and experiment not in names:
        raise UserError(f"experiment={experiment}: no such option{did_you_mean(experiment, names)}")
    use_paths_of(project)
    findings: list[Finding] = []
    with (
        checked_loader(),
        initialize_config_dir(str(configs.resolve()), version_base="1.3"),
        tempfile.TemporaryDirectory() as folder,
    ):
        for name in [*names, None] if experiment is None else [experiment]:
            findings += Look(configs, Path(folder), steps, name).all()
    console = Console()
    tables = [[each for each in findings if (each.experiment == NONE) == none] for none in (False, True)]
    show(console, *(_table(part) for part in tables if part), *_lines(findings))
    if faults := sum(each.verdict == FAULT for each in findings):
        raise UserError(f"{faults} of {len(findings)} would not train")


@dataclass(frozen=True)
class Finding:
    """What came of an experiment with `word`, an option of `group`, over it; both are empty for it alone."""

    experiment: str
    group: str
    word: str
    verdict: str
    reason: str = ""


class UnfitError(Exception):
    """The experiment's keys are not for this option."""


class AbsentError(Exception):
    """The machine has not what this takes."""


@dataclass
class Look:
    """Looks at an experiment of `configs`; what is written on the way goes into `folder`."""

    configs: Path
    folder: Path
    steps: int
    experiment: str | None

    def all(self) -> Iterator[Finding]:
        """The experiment alone, then each option over it; without an experiment models, data and debug."""
        alone = self._finding("", "", self._alone)
        yield alone
        if alone.verdict == FAULT:  # and so would be all over it
            return
        groups = {group: _options(self.configs, group) for group in (OVER_EACH if self.experiment else ALONE)}
        together = self._composed_together(groups) if self.experiment else {}
        for group, options in groups.items():
            for option in options:
                word, config = f"{group}={option}", together.get((group, option))
                finding = self._finding(group, word, lambda: self._option(group, word, config))  # noqa: B023
                if config is not None and finding.verdict in (FAULT, UNFIT):  # may be one of what it came with
                    finding = self._finding(group, word, lambda: self._option(group, word, None))  # noqa: B023
                yield finding

    def _finding(self, group: str, word: str, look: Callable[[], None]) -> Finding:
        verdict, reason = OK, ""
        try:
            look()
        except AbsentError as error:
            verdict, reason = SKIPPED, str(error)
        except UnfitError as error:
            verdict, reason = UNFIT, str(error)
        except Exception as error:  # of the user's own code, too: the others are still looked at
            verdict, reason = FAULT, explain(error) or f"{type(error).__name__}: {error}".splitlines()[0]
        return Finding(self.experiment or NONE, group, word, verdict, reason)

    def _alone(self) -> None:
        """Raises whatever is wrong; leaves model and data, which no option over an experiment changes."""
        self.config = self._composed()
        self._hold_against_signatures(self.config, "")
        self.data, self.absent = build_data(self.config), None
        try:
            self.data.setup("fit")
        except OSError as error:  # nothing is downloaded here
            self.absent = AbsentError(f"its data is not there ({str(error).splitlines()[0]})")
        self.model = build_initial(self.config)
        if said := disagreements(self.model, self.data):
            raise UserError("; ".join(said))
        self._build(self.config, "")

    def _option(self, group: str, word: str, config: DictConfig | None) -> None:
        """Raises whatever is wrong with an option over the experiment."""
        config = self._composed(word) if config is None else config
        self._hold_against_signatures(config, group, word)
        if group in OVER_EACH:
            self._build(config, group)

    def _composed(self, *words: str) -> DictConfig:
        config = compose("train", overrides=self._words(*words))
        OmegaConf.resolve(config)
        return config

    def _words(self, *words: str) -> list[str]:
        return [*([f"experiment={self.experiment}"] * bool(self.experiment)), *words, f"paths.run_dir={self.folder}"]

    def _composed_together(self, groups: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], DictConfig]:
        """The config of each option that changes its own group alone.

        Those of different groups are composed at once, as Hydra takes 0.2 s for each.
        """
        found: dict[tuple[str, str], DictConfig] = {}
        for number in range(max(map(len, groups.values()))):
            chosen = {group: options[number] for group, options in groups.items() if number < len(options)}
            try:
                config = self._composed(*(f"{group}={option}" for group, option in chosen.items()))
                others = [{key: part[key] for key in part if key not in groups} for part in (self.config, config)]
                if others[0] != others[1]:
                    continue
            except Exception:  # is found again, and told, where each is looked at
                continue
            for group, option in chosen.items():
                found[group, option] = copy.deepcopy(self.config)
                found[group, option][group] = config[group]
        return found

    def _hold_against_signatures(self, config: DictConfig, group: str, *words: str) -> None:
        if not (found := problems(config, Origin(self._words(*words), [self.configs]))):
            return
        own = f"{self.configs.name}/experiment/"
        if group and all(each.key.split(".")[0] == group and each.place.startswith(own) for each in found):
            raise UnfitError(f"sets {', '.join(each.key for each in found)}")
        raise UserError("; ".join(map(str, found)))

    def _build(self, config: DictConfig, group: str) -> None:
        if lacks_gpu(config):
            raise AbsentError("no GPU")
        seed_all(config)
        model = build_initial(config) if group in ("optimizer", "scheduler") else self.model
        if isinstance(model, SupervisedModule):
            _make_optimizer(model)
        callbacks, _ = build_callbacks(config, model, self.data)
        metric = config.monitor.metric
        if said := unlogged(model, callbacks, metric):
            raise UserError(f"monitor.metric={metric}: {said}")
        once = {"fast_dev_run": self.steps} if self.steps and group in STEPPED and not self.absent else {}
        with built_loggers(config) as loggers:
            shown = {"logger": loggers or False, "default_root_dir": str(self.folder), "enable_progress_bar": False}
            silent = [callback for callback in callbacks if not isinstance(callback, Progress)]
            trainer = build_trainer(config, callbacks=[*silent, *guards(config, model)], **shown, **once)
            if once and trainer.world_size == 1:
                if isinstance(self.data, TensorDataModule):
                    self.data.batch_size = min(SMALL, self.data.batch_size)
                    self.data.eval_batch_size = SMALL
                trainer.fit(model, datamodule=self.data)
        if self.absent:
            raise self.absent


def _make_optimizer(model: SupervisedModule) -> None:
    """Raises UserError for values that optimizer or scheduler refuse."""
    optimizer = model.make_optimizer([parameter for parameter in model.parameters() if parameter.requires_grad])
    if model.make_scheduler is not None:
        model.make_scheduler(optimizer, **({"total_steps": 1000} if is_told_steps(model.make_scheduler) else {}))


def _options(configs: Path, group: str) -> list[str]:
    return sorted(file.stem for file in (configs / group).glob("*.yaml"))


def _table(findings: Sequence[Finding]) -> Table:
    """A row for each experiment, a column for each group: how many of its options are all right."""
    groups = list(dict.fromkeys(each.group for each in findings))
    table = Table("experiment", *(group or "alone" for group in groups), box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for name in dict.fromkeys(each.experiment for each in findings):
        cells = []
        for group in groups:
            here = [each.verdict for each in findings if (each.experiment, each.group) == (name, group)]
            told = f"{here.count(OK)} of {len(here)}" if group else "".join(here)
            cells.append(Text(told if here else "", "red" if FAULT in here else ""))
        table.add_row(name, *cells)
    return table


def _lines(findings: Sequence[Finding]) -> list[str]:
    """Why, for all that is not ok: the faults last, where one looks."""
    alone = {(each.experiment, each.reason) for each in findings if not each.word}
    lines: dict[tuple[str, str], list[str]] = {}
    for verdict in (SKIPPED, UNFIT, FAULT):
        for each in findings:
            if each.verdict == verdict:
                word = "" if (each.experiment, each.reason) in alone else each.word
                where = word if verdict == SKIPPED and word else f"{each.experiment} {word}".strip()
                lines.setdefault((verdict, each.reason), []).append(where)
    return [f"{verdict}: {', '.join(dict.fromkeys(where))}: {why}" for (verdict, why), where in lines.items()]
