"""What went wrong, in one line, for the person who typed the command."""

import difflib
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from leyden.errors import UserError


def explain(error: BaseException) -> str | None:
    """One line for a mistake that the user can put right; None for what may be a fault of the program."""
    if isinstance(error, UserError | OSError):
        return one_line(str(error))
    if isinstance(error, HydraException) and isinstance(error.__cause__, UserError):  # raised by what a config builds
        return str(error.__cause__)
    if isinstance(error, HydraException | OmegaConfBaseException):
        cause = f" ({error.__cause__})" if error.__cause__ is not None else ""
        return one_line(f"{error}{cause}")
    lightning = sys.modules.get("lightning.fabric.utilities.exceptions")  # what was not imported was not raised
    if lightning is not None and isinstance(error, lightning.MisconfigurationException):
        return one_line(str(error))
    return None


FLAGS = (
    *("--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--resolve", "--package", "-p", "--run", "-r"),
    *("--multirun", "-m", "--shell-completion", "-sc", "--config-path", "-cp", "--config-name", "-cn"),
    *("--config-dir", "-cd", "--info", "-i"),
)
FLAGS_WITH_VALUE = (
    "--cfg",
    "-c",
    "--package",
    "-p",
    "--config-path",
    "-cp",
    "--config-name",
    "-cn",
    "--config-dir",
    "-cd",
)


def checked_words(words: Sequence[str], configs: Path) -> list[str]:
    """The words, with `-m` in front, where argparse needs it.

    Raises UserError for a word that is neither a flag of Hydra's nor an override, such as `xor` or `--experiment`.
    """
    for before, word in zip(["", *words], words, strict=False):
        if word.startswith("-") and word.split("=")[0] not in FLAGS:
            name = word.lstrip("-").split("=")[0]
            raise UserError(f"{word}: no such flag; overrides are written without dashes: {name}=...")
        if (
            "=" not in word
            and word[0] not in "-~+"
            and before not in FLAGS_WITH_VALUE
            and before not in ("--info", "-i")
        ):
            options = {file.stem: f"{file.parent.name}={file.stem}" for file in sorted(configs.glob("*/*.yaml"))}
            meant = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
            hint = f", did you mean {options[meant[0]]}?" if meant else ""
            raise UserError(f"{word}: an override is GROUP=OPTION or KEY=VALUE{hint}")
        if leads_out(word, configs):
            raise UserError(f"{word}: must be a plain name, with no way out of the folder that it is looked for in")
    multirun = [word for word in words if word in ("-m", "--multirun")]
    shows = {word.split("=")[0] for word in words} & {"--cfg", "-c", "--info", "-i"}
    if multirun and shows:
        raise UserError(f"{min(shows)}: shows the config of one run, not of a sweep: leave {multirun[0]} out")
    return multirun[:1] + [word for word in words if word not in multirun]


def leads_out(word: str, configs: Path) -> bool:
    """Whether what should name a file of `configs`, or a folder of logs/, is a path to somewhere else."""
    key, _, value = word.partition("=")
    key = key.lstrip("+~").partition("@")[0]
    if key != "name" and not (configs / key).is_dir():
        return False
    paths = [Path(part.strip("'\" ")) for part in value.strip("[]'\"").split(",")]
    return any(path.is_absolute() or ".." in path.parts for path in paths)


def explain_composition(error: HydraException, arguments: Sequence[str], configs: Path) -> UserError:
    """What is wrong with the overrides in `arguments`, and which name was probably meant."""
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        group, _, option = error.missing_cfg_file.rpartition("/")
        there = ", ".join(error.options)
        return UserError(f"{group}={option}: no such option{did_you_mean(option, error.options)} (there are: {there})")
    if unknown := re.match(r"Could not override '([^']+)'", str(error)):
        key = unknown[1]
        others = [argument for argument in arguments if argument.split("=")[0] != key]
        hint = _option_with(key, configs) or did_you_mean(key, _valid_keys(key, others, configs))
        return UserError(
            f"{key}: no such group or key{hint} (a key that is meant to be new takes a plus sign: +{key}=...)"
        )
    return UserError(explain(error) or "")


def _option_with(key: str, configs: Path) -> str:
    """Which choice of the group has a key that the chosen one has not."""
    group, _, rest = key.partition(".")
    having = []
    for file in sorted((configs / group).glob("*.yaml")) if rest else ():
        config: Any = OmegaConf.to_container(OmegaConf.load(file))
        if rest in full_keys(config.get(group, config)):
            having.append(f"{group}={file.stem}")
    return f"; there is one with {' and '.join(having)}" if having else ""


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, list(candidates), n=1, cutoff=0.5)
    return f", did you mean {nearest[0]}?" if nearest else ""


def one_line(text: str) -> str:
    return " ".join(text.split())


def _valid_keys(near: str, overrides: Sequence[str], configs: Path) -> list[str]:
    """Every group and every full key that could be overridden: Hydra's own where `near` looks like one, else ours."""
    groups = [str(folder.relative_to(configs)) for folder in (*configs.glob("*/"), *configs.glob("hydra/*/"))]
    with initialize_config_dir(str(configs), version_base="1.3"):
        try:
            parsed = OverridesParser.create().parse_overrides([word for word in overrides if not word.startswith("-")])
            single = [str(override.input_line) for override in parsed if not override.is_sweep_override()]
            config = compose("train", overrides=single, return_hydra_config=True)
        except HydraException:
            config = compose("train", return_hydra_config=True)
    hydras = near.startswith("hydra")
    return [key for key in groups + full_keys(OmegaConf.to_container(config)) if key.startswith("hydra") == hydras]


def full_keys(values: Any, prefix: str = "") -> list[str]:
    """The dotted names of everything in nested mappings."""
    if not isinstance(values, dict):
        return []
    keys = [f"{prefix}{name}" for name in values]
    return keys + [key for name, value in values.items() for key in full_keys(value, f"{prefix}{name}.")]
