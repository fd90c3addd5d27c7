"""What the runs of a sweep, or of any set of run folders, came to. Read from the folders alone, at any time."""

import json
import math
import re
import shlex
import statistics
import sys
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate
from operator import le
from pathlib import Path
from typing import Any, TypeGuard

from leyden.errors import UserError
from leyden.runs.results import read_result
from leyden.runs.safe_yaml import flat, load_plain
from leyden.sweeps.plan import Plan, plan_of

Value = bool | int | float | str | None

HOW = ("hydra", "sweep", "resume", "rerun", "join")  # words that say how a run was started, not what was trained
IGNORED = (*HOW, "paths", "name", "targets")
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Run:
    """One run: `settings` has the value of each key that some run's command names, and of `seed`; `value` is the
    monitored one, `objectives` are those of what a sweep was for, `code` is the checksum of what it was trained by."""

    path: Path
    name: str
    started: str
    status: str
    words: Sequence[str]
    settings: Mapping[str, Value]
    value: float | None
    objectives: Mapping[str, float | None]
    metrics: Mapping[str, float | None]
    seconds: float
    error: str | None
    code: str | None


@dataclass(frozen=True)
class Estimate:
    """What an objective came to over seeds."""

    values: Sequence[float]

    @cached_property
    def mean(self) -> float | None:
        return statistics.mean(self.values) if self.values else None

    @cached_property
    def margin(self) -> float | None:
        """Half of the 95 % interval of the mean; None for fewer than two seeds."""
        count = len(self.values)
        return student(count - 1) * statistics.stdev(self.values) / math.sqrt(count) if count > 1 else None


@dataclass(frozen=True, eq=False)
class Row:
    """The runs that differ in nothing but the seed, in the order of their folders."""

    settings: Mapping[str, Value]  # of what varied
    runs: Sequence[Run]
    objectives: Mapping[str, str]

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        """By objective, of the runs that finished: one that was made again with its seed counts once."""
        values: dict[str, dict[Value | Path, float]] = {name: {} for name in self.objectives}
        for run in self.runs:
            seed = run.settings["seed"]
            for name, value in run.objectives.items():
                if run.status == "finished" and value is not None:
                    values[name][run.path if seed is None else seed] = value  # with no seed any two runs differ
        return {name: Estimate(list(of_seeds.values())) for name, of_seeds in values.items()}

    @cached_property
    def costs(self) -> list[float]:
        """The means, turned such that less is better; infinite where there is none."""
        return [_cost(each.mean, self.objectives[name]) for name, each in self.estimates.items()]

    def beats(self, other: "Row") -> bool:
        """Whether it is as good in all objectives, and better in one."""
        return self.costs != other.costs and all(map(le, self.costs, other.costs))

    @cached_property
    def seconds(self) -> float:
        """The mean time of those that finished; of all, where none has."""
        done = [run.seconds for run in self.runs if run.status == "finished"]
        return statistics.mean(done or [run.seconds for run in self.runs])

    def count(self, status: str) -> int:
        return sum(run.status == status for run in self.runs)

    @property
    def command(self) -> str:
        """Trains the best of its runs that finished, by the first objective, once more: in a shell."""
        name, mode = next(iter(self.objectives.items()))
        finished = [run for run in self.runs if run.status == "finished"]
        best = min(finished or self.runs, key=lambda run: _cost(run.objectives[name], mode))
        return shlex.join(["python", "train.py", *(word for word in best.words if _group(_key(word)) not in HOW)])


@dataclass(frozen=True)
class Summary:
    """`varied` are the keys in which the runs differ, or that the sweep gave several values, `rows` what the runs came
    to, best first; `damaged` says of the folders that could not be read why.

    `objectives` are min or max by metric: what `sweep.objectives` names, as last logged, or else the best value of
    what is monitored. `front` are the rows that no other beats: of a single objective, the best.
    """

    monitor: str
    mode: str
    objectives: Mapping[str, str]
    plan: Plan
    varied: Sequence[str]
    rows: Sequence[Row]
    front: Sequence[Row]
    runs: Sequence[Run]
    damaged: Mapping[Path, str]

    @property
    def name(self) -> str:
        return ", ".join(dict.fromkeys(run.name for run in self.runs))

    @property
    def codes(self) -> int:
        """By how many states of the code the runs were trained."""
        return len({run.code for run in self.runs if run.code})

    @property
    def best(self) -> Row | None:
        """None where no run has finished with a value."""
        return self.front[0] if self.front else None


def is_sweep(folder: Path) -> bool:
    return (folder / "multirun.yaml").is_file()


def summarize(*folders: Path) -> Summary:
    """Sum up all runs in and below the folders.

    Raises UserError where there is none, and where they monitor different metrics.
    """
    plan = _plan(folders)
    found, damaged = {}, {}
    for path in dict.fromkeys(path for folder in folders for path in _run_folders(folder)):
        try:
            found[path] = _read(path)
        except (UserError, OSError) as error:
            damaged[path] = str(error)
    keys = dict.fromkeys(key for _, words in found.values() for key in words if _group(key) not in IGNORED)
    runs = []
    for path, (result, words) in found.items():
        try:
            settings = _settings(path, words, [*keys, "seed"])
        except (UserError, OSError) as error:
            damaged[path] = str(error)
        else:
            runs.append(_run(path, result, list(words.values()), settings, plan.objectives))
    if not runs:
        names = ", ".join(str(folder) for folder in folders)
        reasons = "".join(f"; {path}: {reason}" for path, reason in list(damaged.items())[:1])
        raise UserError(f"{names}: no run is there{' that can be read' if damaged else ''}{reasons}")
    monitors = dict.fromkeys(_monitor(found[run.path][0]) for run in runs)
    if len(monitors) > 1:
        named = " and ".join(f"{name} ({mode})" for name, mode in monitors)
        raise UserError(f"the runs monitor different metrics, {named}: name folders of one kind")
    ((monitor, mode),) = monitors
    objectives = plan.objectives or {monitor: mode}
    differing = [key for key in keys if len({run.settings[key] for run in runs}) > 1]
    varied = [key for key in keys if key != "seed" and (key in differing or key in plan.varied)]
    rows, front = _rows(runs, varied, objectives)
    return Summary(monitor, mode, objectives, plan, varied, rows, front, runs, damaged)


@cache
def student(freedom: int) -> float:
    """How many standard errors the 95 % interval reaches to either side, by Student's t distribution.

    With t = sqrt(freedom) tan(angle), its density is proportional to cos(angle)^(freedom - 1): summed up from 0, until
    95 % of the area to pi / 2 is reached.
    """
    step = math.pi / 2 / 10_000
    density = [math.cos((index + 0.5) * step) ** (freedom - 1) for index in range(10_000)]
    area = list(accumulate(density))
    last = bisect_left(area, CONFIDENCE * area[-1])
    beyond = (area[last] - CONFIDENCE * area[-1]) / density[last]
    return math.sqrt(freedom) * math.tan((last + 1 - beyond) * step)


def shown(value: Value) -> str:
    """As a word of a command says it, to six digits."""
    return f"{value:.6g}" if isinstance(value, float) else _text(value)


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plan(folders: Sequence[Path]) -> Plan:
    """Of a single sweep; of any other runs, and of one that cannot be read, nothing."""
    if len(folders) > 1 or not is_sweep(folders[0]):
        return Plan()
    try:
        return plan_of(folders[0])
    except Exception:  # a file from elsewhere may hold anything
        return Plan()


def _run_folders(folder: Path) -> list[Path]:
    """The folder itself where it is a run, and all runs below it; of a sweep also the jobs that have no result."""
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    found = {file.parent for file in folder.rglob("result.json")}
    if is_sweep(folder):
        found |= {path for path in folder.iterdir() if path.name.isdigit() and path.is_dir()}
    # 10 comes after 9
    return sorted(found, key=lambda path: [part.zfill(9) if part.isdigit() else part for part in path.parts])


def _read(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The result of a run, and the words of its command by their keys."""
    if not (path / "result.json").is_file():
        raise UserError("it holds no result.json: its training never began")
    result = read_result(path / "result.json")
    if result["status"] == "damaged" or str(result["status"]).startswith("format"):
        raise UserError(f"its result.json is damaged, or of another version: {result['status']}")
    words = load_plain(path / ".hydra" / "overrides.yaml")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UserError(f"{path / '.hydra' / 'overrides.yaml'} is damaged: it holds no list of words")
    return result, {_key(word): word for word in words}


def _run(
    path: Path, result: Mapping[str, Any], words: list[str], settings: Mapping[str, Value], objectives: Iterable[str]
) -> Run:
    value, logged, error = _number(result["monitor"]["value"]), result.get("metrics"), result.get("error")
    metrics = {name: _number(number) for name, number in logged.items()} if isinstance(logged, dict) else {}
    return Run(
        path=path,
        name=str(result["name"]),
        started=str(result["started"]),
        status=str(result["status"]),
        words=words,
        settings=settings,
        value=value,
        objectives={name: metrics.get(name) for name in objectives} or {str(result["monitor"]["name"]): value},
        metrics=metrics,
        seconds=_number(result["seconds"]) or 0.0,
        error=None if error is None else " ".join(str(error).split()),
        code=_code(path / "provenance.json"),
    )


def _code(file: Path) -> str | None:
    """None where it is not known."""
    try:
        return str(json.loads(file.read_bytes())["code"]["sha256"])
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return None


def _rows(runs: Sequence[Run], varied: Sequence[str], objectives: Mapping[str, str]) -> tuple[list[Row], list[Row]]:
    """All, best first, and those that no other beats, which are the first of them."""
    groups = defaultdict(list)
    for run in runs:
        groups[tuple(run.settings[key] for key in varied)].append(run)
    rows = [Row(dict(zip(varied, values, strict=True)), group, objectives) for values, group in groups.items()]
    rows.sort(key=lambda row: row.costs)
    known = [row for row in rows if math.inf not in row.costs]
    front = [row for row in known if not any(other.beats(row) for other in known)]
    return sorted(rows, key=lambda row: row not in front), front


def _cost(value: float | None, mode: str) -> float:
    """Less is better, and none is worst."""
    return math.inf if value is None else -value if mode == "max" else value


def _monitor(result: Mapping[str, Any]) -> tuple[str, str]:
    return str(result["monitor"]["name"]), str(result["monitor"].get("mode", "min"))


def _key(word: str) -> str:
    return word.lstrip("+~").split("=")[0]


def _group(key: str) -> str:
    return re.split("[./]", key)[0]


def _settings(path: Path, words: Mapping[str, str], keys: Iterable[str]) -> dict[str, Value]:
    """What a run's command sets keys and groups to; for one that it does not name, what its config came to."""
    config = cache(lambda: flat(load_plain(path / "config.yaml")))  # read where it is needed, which it seldom is
    hydra = cache(lambda: flat(load_plain(path / ".hydra" / "hydra.yaml")))

    def text(key: str) -> str:
        if key in words:
            return "null" if words[key].startswith("~") else words[key].partition("=")[2]
        choice = f"hydra.runtime.choices.{key}"
        chosen = "." not in key and key != "seed" and choice in hydra()
        return _text(hydra()[choice] if chosen else config().get(key))

    return {key: _read_value(text(key)) for key in keys}


def _read_value(text: str) -> Value:
    """A number, a truth, null, or else the text, as far as one compares runs by it: 1e-3 is 0.001."""
    named: dict[str, Value] = {"true": True, "false": False, "null": None}
    if text.lower() in named:
        return named[text.lower()]
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return text if _number(number) is None else number
    return re.sub(r"\s*,\s*", ",", text) if text[:1] in "[{" else text.strip("'\"")


def _text(value: Any) -> str:
    """A value of a config as a command would say it."""
    if isinstance(value, list):
        return f"[{','.join(_text(part) for part in value)}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{_text(part)}' for key, part in value.items())}}}"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _number(value: Any) -> float | None:
    """None for what is no finite number: a file from elsewhere may hold anything."""
    return float(value) if is_number(value) and abs(value) <= sys.float_info.max else None
