"""Which metrics a model logs, as its source says it, and what is said of one that it does not."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from lightning.pytorch import Callback, LightningModule

from leyden.nearest import did_you_mean

ENGINE = ("leyden", "lightning", "torch", "torchmetrics", "abc", "typing")
HOW_FAR = ("current_epoch", "global_step")  # what is looked at where a metric is logged now and then


def no_such_metric(model: LightningModule, metric: str, logged: Iterable[str], when: str = "") -> str:
    """What to say of a `metric` that is none of those that are `logged`."""
    hint, there = did_you_mean(metric, sorted(logged)), ", ".join(sorted(logged)) or "none"
    return f"{type(model).__name__} logs no such metric{when}{hint} (there are: {there})"


def could_log(model: LightningModule, callbacks: Sequence[Callback], metric: str) -> bool:
    """Whether the source of the model or of a callback says that `metric` may be logged in some epochs alone."""
    kinds = [kind for each in (model, *callbacks) for kind in type(each).__mro__ if kind.__module__ != "builtins"]
    return any(_could_log(kind, metric) for kind in kinds if kind.__module__.split(".")[0] not in ENGINE)


def _could_log(kind: type, metric: str) -> bool:
    """Of one class: it has the name, or makes up names and looks at how far the training is."""
    if (tree := _source_of(kind)) is None:
        return True
    by_time = any(isinstance(node, ast.Attribute) and node.attr in HOW_FAR for node in ast.walk(tree))
    for name in _names_given(tree):
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            if name.value == metric:
                return True
        elif isinstance(name, ast.JoinedStr):
            parts = (re.escape(str(p.value)) if isinstance(p, ast.Constant) else ".*" for p in name.values)
            if re.fullmatch("".join(parts), metric):
                return True
        elif by_time:
            return True
    return False


def _names_given(tree: ast.AST) -> Iterator[ast.expr]:
    """What is given to `log` and `log_dict` as the names of metrics; what makes them up, where they are made up."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("log", "log_dict")
        ):
            first = node.args[0] if node.args else next((each.value for each in node.keywords), None)
            if isinstance(first, ast.Dict) and None not in first.keys:
                yield from (key for key in first.keys if key is not None)
            elif first is not None:
                yield first


def logged_by(kind: type) -> set[str] | None:
    """The names that a class gives to `self.log`; None where they cannot be read off its source."""
    if (tree := _source_of(kind)) is None:
        return None
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "log_dict":
            return None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "log":
            first = node.args[0] if node.args else None
            if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
                return None
            names.add(first.value)
    return names


def _source_of(kind: type) -> ast.AST | None:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError):
        return None
