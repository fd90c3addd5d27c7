"""The words of a command: what is wrong with them, all of it at once, and what was probably meant.

How a word is written is seen in the word (spelling.py). Whether there is what it names, and whether its value fits
(overrides.py), is seen in the config that it is to change: `CheckedLoader` looks between the two steps in which Hydra
composes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hydra._internal.hydra
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.default_element import ResultDefault
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import ConfigCompositionException, HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from leyden.config.defaults import circle, flattened, left_over, told_of_page, unmerged, wrong_defaults
from leyden.config.interpolations import refuse_unresolved
from leyden.config.kinds import node_at
from leyden.config.mistakes import Mistake, WordsError
from leyden.config.overrides import (
    ELSEWHERE,
    is_readable,
    parts_of,
    swept,
    told_by_hydra,
    unreadable,
    unresolved,
    wrong_choice,
    wrong_key,
)
from leyden.config.pages import PageError, Pages, folder_of
from leyden.config.spelling import SEVERAL, flags_apart, spelt
from leyden.errors import UserError
from leyden.nearest import nearest, or_such

VERSION_BASE = "1.3"  # of Hydra's behaviour


def checked_words(words: Sequence[str], configs: Path) -> list[str]:
    """The words in an order that Hydra understands: overrides, then flags. Raises WordsError."""
    meant, mistakes = spelt(words, configs)
    if mistakes:
        raise WordsError([*mistakes, *_unfitting(meant, configs)])
    overrides, flags = flags_apart(meant)
    return [*overrides, *(word for flag in flags for word in flag)]


def all_wrong(words: Sequence[str], configs: Path) -> WordsError | None:
    """All that can be seen without running anything."""
    meant, mistakes = spelt(words, configs)
    mistakes += _unfitting(meant, configs)
    return WordsError(mistakes) if mistakes else None


def _unfitting(words: Sequence[str], configs: Path) -> list[Mistake]:
    """What is wrong with words that are well written, held against the configs."""
    overrides, flags = flags_apart(words)
    names = [flag[0] for flag in flags]
    if any(name.startswith(("--config", "-cd", "-cn", "-cp")) for name in names):
        return []
    here = [word for word in overrides if word.partition("=")[0] not in ELSEWHERE]
    mode = RunMode.MULTIRUN if set(SEVERAL) & set(names) else RunMode.RUN
    with composing(configs):
        try:
            GlobalHydra.instance().config_loader().load_configuration("train", here, mode)
        except WordsError as error:
            return error.mistakes
    return []


@contextmanager
def checked_loader() -> Iterator[None]:
    """Let what is made of Hydra meanwhile compose with it. Hydra has no other place where a loader could be named."""
    module: Any = hydra._internal.hydra
    before, module.ConfigLoaderImpl = module.ConfigLoaderImpl, CheckedLoader
    try:
        yield
    finally:
        module.ConfigLoaderImpl = before


@contextmanager
def composing(configs: Path) -> Iterator[None]:
    """Let Hydra compose from `configs` meanwhile."""
    with checked_loader(), initialize_config_dir(str(configs.resolve()), version_base=VERSION_BASE):
        yield


ONE_RUN = "hydra.mode=RUN"  # is added to the overrides by Hydra, where no config names a mode


class CheckedLoader(ConfigLoaderImpl):
    """Hydra's loader, which also holds the words against the config that they are to change, before they change it.

    Raises WordsError with all that is wrong with them.
    """

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self.repository = Pages(config_search_path)

    _found: tuple[list[str], WordsError] | None = None
    _asked: tuple[list[str], DictConfig] | None = None  # composed where Hydra asked for the mode alone
    _listed: CachingConfigRepository | None = None
    _command: "_Command | None" = None  # that is being composed

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        """`--help` asks for those of every group, and Hydra would copy all that it knows for each."""
        if config_name or overrides:
            return super().get_group_options(group_name, results_filter, config_name, overrides)
        if self._listed is None:
            _, self._listed = super()._parse_overrides_and_create_caching_repo(None, [])
        return self._listed.get_group_options(group_name, results_filter)

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        asked, self._asked = self._asked, None
        if asked and [*asked[0], ONE_RUN] == overrides:
            config = asked[1]
            config.hydra.mode = RunMode.RUN
            config.hydra.overrides.hydra.append(ONE_RUN)
            return config
        if self._found and self._found[0] == overrides[: len(self._found[0])]:
            raise self._found[1]
        command = self._command = _Command(run_mode == RunMode.RUN and validate_sweep_overrides)
        try:
            config = super().load_configuration(config_name, overrides, run_mode, from_shell, validate_sweep_overrides)
            if mistakes := [mistake for override in command.parsed for mistake in unresolved(override, config)]:
                raise WordsError(mistakes)
            self._refuse_unresolved(config, config_name, overrides)
            if not validate_sweep_overrides and command.is_one_run(config):
                self._asked = list(overrides), config
            return config
        except WordsError as error:
            if "hydra.mode=MULTIRUN" in overrides or not any(each.is_sweep_override() for each in command.parsed):
                # Hydra first asks for the mode alone, passes over errors, and asks again with a mode at the end.
                self._found = list(overrides), error
            raise
        except (HydraException, PageError, ValueError, RecursionError) as error:
            raise WordsError([*command.mistakes, *command.uncomposed(error, config_name, overrides)]) from error
        finally:
            self._command = None  # a launcher may pickle the loader

    def validate_sweep_overrides_legal(  # type: ignore[override]
        self, overrides: list[Override], run_mode: RunMode, from_shell: bool
    ) -> None:
        if run_mode == RunMode.MULTIRUN:
            super().validate_sweep_overrides_legal(overrides, run_mode, from_shell)

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], CachingConfigRepository]:
        command = self._command
        if command is None or not overrides:
            parsed, repo = super()._parse_overrides_and_create_caching_repo(config_name, overrides)
            if command:
                command.repo = repo
            return parsed, repo
        try:
            command.parsed, repo = super()._parse_overrides_and_create_caching_repo(config_name, overrides)
        except OverrideParseException:
            readable = [each for word in overrides for each in command.readable(word)]
            command.parsed, repo = super()._parse_overrides_and_create_caching_repo(config_name, readable)
            for override in command.parsed:
                override.input_line = command.quoted.get(str(override.input_line), override.input_line)
        command.repo = repo
        command.check_groups(config_name, repo)
        return command.parsed, repo

    def _compose_config_from_defaults_list(self, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
        try:
            config = super()._compose_config_from_defaults_list(defaults, repo)
        except ConfigCompositionException as error:
            raise PageError(self._unmerged(error, defaults, repo)) from error
        if self._command is not None:
            self._command.composed = True
            primary = next((repo.load_config(str(each.config_path)) for each in defaults if each.primary), None)
            if primary and (what := flattened(defaults, config, primary.config, repo)):  # type: ignore[arg-type]
                raise PageError(what)
            self._command.check_keys(config, defaults, repo)
            if self._command.mistakes:
                raise WordsError(self._command.mistakes)
        return config

    def _refuse_unresolved(self, config: DictConfig, config_name: str | None, overrides: list[str]) -> None:
        """Raises PageError where the name of the run's folder cannot be made, and says what else cannot."""
        try:
            OmegaConf.select(config, "name")
        except OmegaConfBaseException:
            from leyden.config.origin import Origin  # knows run folders, too

            self._command = None  # its words are not to be looked at again
            try:
                refuse_unresolved(config, Origin(overrides, [folder_of(self.repository)], name=str(config_name)))
            except UserError as error:
                raise PageError(*error.lines) from error

    def _unmerged(self, error: Exception, defaults: list[ResultDefault], repo: IConfigRepository) -> str:
        named = str(error).split("'")[1]
        number = next((number for number, each in enumerate(defaults) if each.config_path == named), 0)
        before = super()._compose_config_from_defaults_list(defaults[:number], repo)
        page: Any = self._load_single_config(defaults[number], repo).config
        return unmerged(error, defaults[number], page, before, repo)


@dataclass
class _Command:
    """What is known of the overrides of a command, while they are composed.

    Of what is wrong, what was probably meant takes the place, so that all else is held against that.
    """

    one_run: bool
    parsed: list[Override] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    quoted: dict[str, str] = field(default_factory=dict)  # what would be readable, and what was typed
    repo: CachingConfigRepository | None = None
    composed: bool = False

    def readable(self, word: str) -> list[str]:
        """The word, or what was probably meant by it."""
        if is_readable(word):
            return [word]
        mistake, text = unreadable(word, self.one_run)
        self.mistakes.append(mistake)
        if text:
            self.quoted[text] = word
        return [each for each in ((text,) if text else mistake.instead or ()) if is_readable(each)]

    def uncomposed(self, error: Exception, config_name: str | None, overrides: list[str]) -> list[Mistake]:
        """Why Hydra could not compose: what a file says wrong, or else what Hydra says."""
        if isinstance(error, PageError):
            return [Mistake((), line) for line in error.lines]
        if isinstance(error, RecursionError):
            if self.repo and (what := circle(self.repo)):
                return [Mistake((), what)]
            raise error
        if self.repo and config_name and not self.repo.config_exists(config_name):
            meant = nearest(config_name, self.repo.get_group_options(""))
            flag = f"--config-name={config_name}"
            what = f"{flag}: there is no such file in configs/{or_such(meant)}"
            return [Mistake((flag,), what, (f"--config-name={meant[0]}",) if meant else None)]
        if self.repo and not self.composed and (told := wrong_defaults(str(config_name), self.repo)):
            return [Mistake((), line) for line in told]
        mistake = told_by_hydra(error, overrides)
        if self.repo and not mistake.words and (what := told_of_page(error, self.repo)):
            return [Mistake((), what)]
        return [mistake]

    def is_one_run(self, config: DictConfig) -> bool:
        """Whether a run would be composed to the same config as a sweep, for which groups may be left open."""
        swept = any(override.is_sweep_override() for override in self.parsed)
        return not swept and not OmegaConf.missing_keys(config.hydra.runtime.choices)

    def check_groups(self, config_name: str | None, repo: IConfigRepository) -> None:
        understood: list[Override] = []
        for each in self.parsed:
            override: Override | None = each
            while override and (mistake := wrong_choice(override, config_name, repo)):
                self.mistakes.append(mistake)
                meant = [word for word in mistake.instead or () if word not in mistake.words and is_readable(word)]
                override = OverridesParser.create().parse_override(meant[0]) if meant else None
            understood += [override] if override else []
        self.parsed[:] = understood

    def check_keys(self, config: DictConfig, defaults: list[ResultDefault], repo: IConfigRepository) -> None:
        swept_group = any(each.is_sweep_override() and repo.group_exists(each.key_or_group) for each in self.parsed)
        made: list[str] = []  # by words before it
        for override in self.parsed:
            key = override.key_or_group
            if any(f"{key}.".startswith(f"{each}.") or each.startswith(f"{key}.") for each in made):
                continue
            if override.is_sweep_override() and self.one_run:
                self.mistakes.append(swept(override, node_at(config, key)))
                continue
            if override.is_delete() and repo.group_exists(key) and (what := left_over(key, config, defaults, repo)):
                self.mistakes.append(Mistake((str(override.input_line),), f"{override.input_line}: {what}"))
            if (repo.group_exists(key) and not isinstance(override.value(), dict)) or (
                swept_group and override.is_sweep_override()  # its jobs are then composed one by one
            ):
                continue
            parts = parts_of(override, config)
            if override.type != OverrideType.CHANGE or any(isinstance(part.value(), dict) for part in parts):
                made.append(key)
            self.mistakes += [mistake for part in parts for mistake in wrong_key(part, config, repo)]
