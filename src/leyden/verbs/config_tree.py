"""What a training was asked for, as a tree: its config where it is not the default, or all of it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.text import Text
from rich.tree import Tree

from leyden.completion.composed import composed, default_choices, options
from leyden.config.targets import trusted_project
from leyden.errors import UserError
from leyden.runs.folder import RunFolder
from leyden.runs.record import in_sweep
from leyden.runs.safe_yaml import load_plain

OF_THE_RUN = "run_dir"  # of paths: another for each
REMOVED = "removed"


def config_tree(config: DictConfig, unresolved: DictConfig, resumed: Sequence[str] = ()) -> Tree | None:
    """As `print_config` says: what differs from the defaults, all, or nothing; nothing of the many jobs of a sweep.

    `config` is resolved, `unresolved` the same before; `resumed` are the words that a run goes on with.
    """
    wanted = {True: "changed", False: "none"}.get(config.get("print_config", True), config.get("print_config"))
    if wanted == "none" or in_sweep():
        return None
    resolved: dict[str, Any] = OmegaConf.to_container(config)  # type: ignore[assignment]
    if wanted == "all":
        return _grown(Tree(Text("config", "bold")), resolved)
    if HydraConfig.initialized():
        hydra = HydraConfig.get()
        (configs,) = (Path(source.path) for source in hydra.runtime.config_sources if source.provider == "main")
        choices, name = choices_of(hydra, hydra.overrides.task), str(hydra.job.config_name)
    else:
        run, configs, name = RunFolder(config.paths.run_dir), trusted_project() / "configs", "train"
        choices = _kept_choices(run) | dict(word.split("=", 1) for word in resumed)
    plain: dict[str, Any] = OmegaConf.to_container(unresolved)  # type: ignore[assignment]
    found = changes(plain, resolved, choices, configs, name)
    title = Text.assemble(("config, where it is not the default", "bold"), " (print_config=all shows all of it)")
    return _grown(Tree(title), found) if found else None


def changes(
    config: Mapping[str, Any],
    resolved: Mapping[str, Any],
    choices: Mapping[str, Any],
    configs: Path,
    name: str = "train",
) -> dict[str, Any]:
    """The options that are not those of the page `name`, and the keys that are not as these options say.

    A group stands under its own name, with its option under the key "". Of `config` the interpolations are not
    resolved, so that what only refers to a changed key is no change of its own. The defaults are composed without
    Hydra, which takes twenty times as long.
    """
    defaults = {
        group: names for group, names in default_choices(configs, name).items() if not group.startswith("hydra")
    }
    chosen = {group: options(choices[group]) if group in choices else defaults[group] for group in defaults}
    words = [f"{group}={','.join(chosen[group])}" for group in defaults if defaults[group]]
    found = _differing(config, composed(configs, words, name).config, resolved)
    told = {group: {"": ", ".join(chosen[group]) or "null"} for group in defaults if chosen[group] != defaults[group]}
    for key, value in found.items():
        told[key] = told.get(key, {}) | value if isinstance(value, dict) else value
    unchosen = (group for group in defaults if not defaults[group])  # experiment, debug: which stand first
    return {key: told[key] for key in dict.fromkeys([*unchosen, *config, *told]) if key in told}


def _differing(config: Mapping[str, Any], defaults: Mapping[str, Any], resolved: Mapping[str, Any]) -> dict[str, Any]:
    """What nested mappings set otherwise than the defaults do, as it is resolved."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        before = defaults.get(key, REMOVED)
        if isinstance(value, dict) and isinstance(before, dict):
            if inside := _differing(value, before, resolved[key]):
                found[key] = inside
        elif not _same(value, before) and key != OF_THE_RUN:
            found[key] = resolved[key]
    return found | {key: REMOVED for key in defaults if key not in config and key != "hydra"}


def _same(one: Any, other: Any) -> bool:
    """Whether Hydra, to which 1e-3 is a number and a date a text, would read the same."""
    return bool(one == other or (isinstance(other, str | date) and str(one) == str(_number(other))))


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _grown(tree: Tree, values: Mapping[str, Any]) -> Tree:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            inside = dict(value)
            option = inside.pop("", None)
            _grown(tree.add(_label(key, option) if option else Text(key, "cyan")), inside)
        else:
            tree.add(_label(key, value))
    return tree


def _label(key: str, value: Any) -> Text:
    return Text.assemble(
        (key, "cyan"), ": ", value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    )


def choices_of(hydra: Any, words: Iterable[str]) -> dict[str, Any]:
    """The options that a config was composed of; of a list (`callbacks=[a,b]`) Hydra keeps the word alone."""
    pairs = (word.lstrip("+~").partition("=")[::2] for word in words)
    return {**dict(pairs), **hydra["runtime"]["choices"]}


def _kept_choices(run: RunFolder) -> dict[str, Any]:
    """The same of a run, as far as that was kept."""
    with suppress(UserError, OSError, KeyError, TypeError):
        return choices_of(load_plain(run.path / ".hydra" / "hydra.yaml")["hydra"], run.overrides())
    return {}
