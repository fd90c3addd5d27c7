"""A look at one experiment, and at each option that one can choose over it."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hydra import compose
from lightning.pytorch import LightningDataModule, Trainer
from omegaconf import DictConfig
from torch.optim.lr_scheduler import OneCycleLR

from leyden.config.app import options_of
from leyden.config.build import build_data, build_initial, build_trainer, seed_all
from leyden.config.devices import absent_devices
from leyden.config.explain import explain, in_one_line
from leyden.config.extras import absent_extras
from leyden.config.interpolations import resolve
from leyden.config.origin import Origin
from leyden.config.signatures import problems, refuse
from leyden.errors import UserError
from leyden.training import SupervisedModule, TensorDataModule
from leyden.training.agreement import disagreements, expected_in_vain, watched_in_vain, without_batches
from leyden.training.callbacks import Progress, Watched
from leyden.training.schedulers import is_told_steps, refuse_more_steps, refuse_no_period
from leyden.verbs import quiet  # noqa: F401
from leyden.verbs.findings import FAULT, NONE, OK, SKIPPED, UNFIT, Finding
from leyden.verbs.train import build_callbacks, built_loggers, guards

OVER_EACH = ("optimizer", "scheduler", "trainer", "callbacks", "logger")
ALONE = ("model", "data", "figures", "debug")  # which go together is not known: arguments alone are looked at
STEPPED = ("", "optimizer", "scheduler")
SMALL = 32  # samples in the batch of a step


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
        groups = {group: options_of(self.configs, group) for group in (OVER_EACH if self.experiment else ALONE)}
        together = self._composed_together(groups) if self.experiment else {}
        for group, options in groups.items():
            for option in options:
                word, config = f"{group}={option}", together.get((group, option))
                finding = self._finding(group, word, partial(self._option, group, word, config))
                if config is not None and finding.verdict in (FAULT, UNFIT):  # may be one of what it came with
                    finding = self._finding(group, word, partial(self._option, group, word, None))
                yield finding

    def _finding(self, group: str, word: str, look: Callable[[], None]) -> Finding:
        verdict, reasons = OK, list[str]()
        try:
            look()
        except AbsentError as error:
            verdict, reasons = SKIPPED, [str(error)]
        except UnfitError as error:
            verdict, reasons = UNFIT, [str(error)]
        except Exception as error:  # of the user's own code, too: the others are still looked at
            verdict, reasons = FAULT, explain(error) or [in_one_line(error)]
        return Finding(self.experiment or NONE, group, word, verdict, reasons)

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
            raise UserError(*said)
        self._build(self.config, "")

    def _option(self, group: str, word: str, config: DictConfig | None) -> None:
        """Raises whatever is wrong with an option over the experiment."""
        config = self._composed(word) if config is None else config
        self._hold_against_signatures(config, group, word)
        if group in OVER_EACH:
            self._build(config, group)

    def _composed(self, *words: str) -> DictConfig:
        config = compose("train", overrides=self._words(*words))
        resolve(config, Origin(self._words(*words), [self.configs]))
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
        refuse(found)

    def _build(self, config: DictConfig, group: str) -> None:
        if absent := absent_devices(config, Origin(())):
            raise AbsentError(absent[0].reason.partition(";")[0])
        if lines := absent_extras(config):
            raise AbsentError("; ".join(lines))
        seed_all(config)
        model = build_initial(config) if group in ("optimizer", "scheduler") else self.model
        callbacks, _ = build_callbacks(config, model, self.data)
        said = watched_in_vain(model, callbacks, config.monitor.metric)
        if said := [*said, *expected_in_vain(model, callbacks, config.expected or {})]:
            raise UserError(*said)
        once = {"fast_dev_run": self.steps} if self.steps and group in STEPPED and not self.absent else {}
        with built_loggers(config) as loggers:
            shown = {"logger": loggers or False, "default_root_dir": str(self.folder), "enable_progress_bar": False}
            watched = Watched(config.monitor.metric)
            silent = [callback for callback in callbacks if not isinstance(callback, Progress)]
            trainer = build_trainer(config, callbacks=[*silent, *guards(config, model), watched], **shown, **once)
            if isinstance(model, SupervisedModule):
                _make_optimizer(model, None if once or self.absent else _steps(trainer, self.data))
            if once and trainer.world_size == 1:
                if isinstance(self.data, TensorDataModule):
                    self.data.batch_size = min(SMALL, self.data.batch_size)
                    self.data.eval_batch_size = SMALL
                trainer.fit(model, datamodule=self.data)
                if said := without_batches(trainer):
                    raise UserError(*said)
        if self.absent:
            raise self.absent


def _make_optimizer(model: SupervisedModule, steps: int | None) -> None:
    """Raises UserError for values that optimizer or scheduler refuse, also as the training takes so many steps."""
    optimizer = model.make_optimizer([parameter for parameter in model.parameters() if parameter.requires_grad])
    if model.make_scheduler is not None:
        told = is_told_steps(model.make_scheduler)
        scheduler = model.make_scheduler(optimizer, **({"total_steps": 1000} if told else {}))
        refuse_no_period(scheduler)
        if not told and steps is not None and isinstance(scheduler, OneCycleLR):
            refuse_more_steps(scheduler, steps)


def _steps(trainer: Trainer, data: LightningDataModule) -> int | None:
    """The optimizer steps of a training; None where that is not known before it, or it has no end."""
    if not isinstance(data, TensorDataModule) or trainer.max_epochs in (None, -1):
        return None
    limit, batches = trainer.limit_train_batches, len(data.train_dataloader()) // trainer.world_size
    batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    steps = math.ceil(batches / trainer.accumulate_grad_batches) * trainer.max_epochs
    return steps if trainer.max_steps == -1 else min(steps, trainer.max_steps)
