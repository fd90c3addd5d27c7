"""Which metrics a model logs, as its source says it, and what is said of one that it does not."""

import ast
import builtins
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from lightning.pytorch import Callback, LightningModule

from leyden.nearest import did_you_mean

ENGINE = ("leyden", "lightning", "torch", "torchmetrics", "abc", "typing")
HOW_FAR = ("current_epoch", "global_step")  # what is looked at where a metric is logged now and then
LOGGING = ("log", "log_dict")
ABLE_TO_LOG = ("self", "trainer", "pl_module", "module", "model")  # as one calls them


def no_such_metric(model: LightningModule, metric: str, logged: Iterable[str], when: str = "") -> str:
    """What to say of a `metric` that is none of those that are `logged`."""
    hint, there = did_you_mean(metric, sorted(logged)), ", ".join(sorted(logged)) or "none"
    return f"{type(model).__name__} logs no such metric{when}{hint} (there are: {there})"


def could_log(model: LightningModule, callbacks: Sequence[Callback], metric: str) -> bool:
    """Whether the source of the model or of a callback says that `metric` may be logged in some epochs alone."""
    kinds = [kind for each in (model, *callbacks) for kind in type(each).__mro__ if kind.__module__ != "builtins"]
    return any(_could_log(kind, metric) for kind in kinds if kind.__module__.split(".")[0] not in ENGINE)


def _could_log(kind: type, metric: str) -> bool:
    """Of one class: it has the name, or makes up names under a condition, or lets others log."""
    if (tree := _source_of(kind)) is None or _lets_others_log(tree):
        return True
    by_time = any(isinstance(node, ast.Attribute) and node.attr in HOW_FAR for node in ast.walk(tree))
    for method in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        sometimes = by_time or any(isinstance(node, ast.If) for node in ast.walk(method))
        if any(_could_be(name, metric, sometimes) for name in _names_given(method)):
            return True
    return False


def _could_be(name: ast.expr, metric: str, made_up: bool) -> bool:
    """`made_up` is the answer where nothing is known of the name."""
    if isinstance(name, ast.Constant):
        return bool(name.value == metric)
    if isinstance(name, ast.JoinedStr):
        parts = (re.escape(str(each.value)) if isinstance(each, ast.Constant) else ".*" for each in name.values)
        return re.fullmatch("".join(parts), metric) is not None
    return made_up


def _names_given(tree: ast.AST) -> Iterator[ast.expr]:
    """What is given to `log` and `log_dict` as the names of metrics; what makes them up, where they are made up."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOGGING:
            named = (each.value for each in node.keywords if each.arg in ("name", "dictionary", None))
            first = next(iter(node.args), next(named, None))
            if isinstance(first, ast.Dict) and None not in first.keys:
                yield from (key for key in first.keys if key is not None)
            elif first is not None:
                yield first


def _lets_others_log(tree: ast.AST) -> bool:
    """Whether a function that is not seen here is given the model, the trainer, or the method that logs."""
    nodes = list(ast.walk(tree))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    called = {id(call.func) for call in calls}
    if any(isinstance(node, ast.Attribute) and node.attr in LOGGING and id(node) not in called for node in nodes):
        return True
    names = [(call, ast.unparse(call.func)) for call in calls]
    unseen = [call for call, name in names if not hasattr(builtins, name) and not name.startswith("super(")]
    return any(_can_log(each) for call in unseen for each in (*call.args, *(word.value for word in call.keywords)))


def _can_log(given: ast.expr) -> bool:
    if isinstance(given, ast.Attribute):
        return given.attr == "trainer"
    return isinstance(given, ast.Name) and given.id in ABLE_TO_LOG


def logged_by(kind: type) -> set[str] | None:
    """The names that a class gives to `self.log`; None where they cannot be read off its source."""
    if (tree := _source_of(kind)) is None or _lets_others_log(tree):
        return None
    names = list(_names_given(tree))
    if not all(isinstance(name, ast.Constant) for name in names):
        return None
    return {str(name.value) for name in names if isinstance(name, ast.Constant)}


def _source_of(kind: type) -> ast.AST | None:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError):
        return None
