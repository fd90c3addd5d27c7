"""The jobs of a sweep. What has become of each stands in its run folder, and nowhere else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from hydra.core.override_parser.types import Override

from leyden.errors import UserError
from leyden.runs.folder import RunFolder

OURS = ("sweep", "launcher")  # keys that say how a sweep is run: no job's own config depends on them
DONE = ("finished", "pruned")
MOST = 100_000  # values of a key


@dataclass(frozen=True)
class Job:
    """One point of a sweep: the words that compose it, without those that are the sweep's own."""

    number: int
    words: tuple[str, ...]
    run: RunFolder

    @property
    def command(self) -> list[str]:
        """What a launcher gets: the words, and where the job trains."""
        return [*self.words, f"hydra.sweep.subdir={self.number}"]

    def status(self) -> str:
        """As its result has it; `missing` where it has not begun."""
        try:
            return str(self.run.result()["status"])
        except UserError:
            return "missing"

    def error(self) -> str:
        """Why it failed, in one line."""
        try:
            return str(self.run.result()["error"])
        except UserError as error:
            return str(error)


def varied_in(overrides: Sequence[Override]) -> list[str]:
    """The keys of those that stand for several values."""
    return [override.get_key_element().lstrip("+~") for override in overrides if override.is_sweep_override()]


def values_of(overrides: Sequence[Override]) -> dict[str, list[str]]:
    """The words that each key of a command stands for, each once.

    Raises UserError for a range without steps, for a list without values, and for one without an end.
    """
    values: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        if not override.is_sweep_override():
            word = f"{key}={override.get_value_element_as_str()}"
            values[key] = [str(override.input_line) if override.is_delete() else word]
        elif not override.is_discrete_sweep():
            raise UserError(f"{override.input_line}: an interval has no end of values; sweep=optuna searches in it")
        else:
            words = (f"{key}={value}" for value in override.sweep_string_iterator())
            values[key] = list(dict.fromkeys(islice(words, MOST + 1)))
        if not values[key]:
            raise UserError(f"{override.input_line}: there is no value to choose from")
        if len(values[key]) > MOST:
            raise UserError(f"{override.input_line}: these are more than {MOST:,} values")
    return values


def words_of_job(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for word in words if key_of(word).split(".")[0] not in OURS and not word.startswith("hydra."))


def key_of(word: str) -> str:
    return word.lstrip("+~").split("=")[0]


def as_hydra_spells(word: str) -> str:
    """`interval(1e-4,1e-1,log)`, which one would expect to work, is tag(log,interval(1e-4,1e-1)) in Hydra's grammar.

    Raises UserError for an empty choice, which Hydra fails on, and for another third word.
    """
    wrong = re.search(r"\binterval\([^(),]+,[^(),]+,([^()]*)\)", word)
    if wrong and wrong[1].strip() != "log":
        raise UserError(f"{word}: interval(low,high) or interval(low,high,log), not {wrong[0]}")
    if re.search(r"=\s*choice\(\s*\)", word):
        raise UserError(f"{word}: there is no value to choose from")
    return re.sub(r"\binterval\(([^(),]+),([^(),]+),\s*log\s*\)", r"tag(log,interval(\1,\2))", word)


def numbered(points: Sequence[Sequence[str]], sweep: Path) -> list[Job]:
    """A job for each point: the one that is there already, by its words, or a new one with the next free number."""
    there = {frozenset(_words_in(folder)): int(folder.name) for folder in sweep.iterdir() if folder.name.isdigit()}
    there.pop(frozenset(), None)  # killed before it was known what it is
    free = (number for number in count() if number not in set(there.values()))
    jobs = []
    for words in map(words_of_job, points):
        known = there.get(frozenset(words))
        number = next(free) if known is None else known
        jobs.append(Job(number, words, RunFolder(sweep / str(number))))
    return jobs


def _words_in(folder: Path) -> list[str]:
    try:
        return [word for word in RunFolder(folder).overrides() if not word.startswith("hydra.")]
    except UserError:
        return []
