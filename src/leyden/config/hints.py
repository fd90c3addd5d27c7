"""Whether a value of a config is what a type hint asks for, and how that is called in a message.

A config holds what YAML can say. So a list is taken for a tuple or a set, a string for a path, a whole number for a
float and a member's name or value for an enum; but "10" is no number, and true is none. What a nested `_target_` will
make is judged by its class. Hints that cannot be judged take anything.
"""

import collections.abc
import enum
import inspect
import os
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, ListConfig

SEQUENCES = (
    list,
    tuple,
    set,
    frozenset,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Set,
    collections.abc.Collection,
    collections.abc.Iterable,
)
NAMES: Mapping[Any, str] = {
    type(None): "null",
    str: "str",
    list: "list",
    tuple: "list",
    dict: "mapping",
    Any: "anything",
}
MADE = " (with a _target_)"


class Made(NamedTuple):
    """In place of the object that a `_target_` will make: a call of `target` or, with `_partial_`, a factory of it."""

    target: Any
    partial: bool


def hint_of(annotation: Any, scope: Mapping[str, Any]) -> Any:
    """An annotation as it stands in a signature, evaluated among the names of its module; Any where it cannot be."""
    if annotation is inspect.Parameter.empty:
        return Any
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return get_type_hints(holder, globalns=dict(scope))["it"]
    except Exception:  # names that are imported for type checkers alone, and whatever else evaluating can raise
        return Any


def fits(value: Any, hint: Any) -> bool:
    hint, origin, parts = _taken_apart(hint)
    if hint is Any or hint is object or isinstance(hint, str):
        return True
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if isinstance(value, Made):
        return _is_made_for(value, origin or hint)
    if origin is Literal:
        return any(value == part and type(value) is type(part) for part in parts)
    if hint is float or hint is complex:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    kind = origin or hint
    if kind in SEQUENCES:
        return isinstance(value, list) and _items_fit(value, kind, parts)
    if not isinstance(kind, type):
        return True
    if issubclass(kind, os.PathLike):
        return isinstance(value, str)
    if issubclass(kind, enum.Enum):
        return any(value in (member.name, member.value) for member in kind)
    if issubclass(kind, DictConfig | ListConfig):
        return isinstance(value, dict | list)
    if isinstance(value, dict) and len(parts) == 2:
        return _is_instance(value, kind) and all(fits(a, parts[0]) and fits(b, parts[1]) for a, b in value.items())
    return _is_instance(value, kind)


def expected(hint: Any) -> str:
    """What the hint asks for, in a few words: `int or null`, `one of 'min', 'max'`, `list of int`."""
    hint, origin, parts = _taken_apart(hint)
    if origin in (Union, types.UnionType):
        others = [part for part in parts if part is not type(None) and get_origin(part) is not Literal]
        literal = [f"one of {', '.join(map(repr, choices))}"] if (choices := choices_of(hint)) else []
        names = [*literal, *dict.fromkeys(map(expected, others))]
        plain = [name for name in names if not name.endswith(MADE)]  # what can simply be typed
        return " or ".join([*(plain or names), *["null"] * (type(None) in parts)])
    if origin is Literal:
        return f"one of {', '.join(map(repr, parts))}"
    kind = origin or hint
    if len(parts) == 2 and isinstance(kind, type) and issubclass(kind, collections.abc.Mapping):
        return f"mapping of {expected(parts[0])} to {expected(parts[1])}"
    if kind is collections.abc.Callable:
        return f"callable{MADE}"
    if kind in SEQUENCES:
        items = list(dict.fromkeys(expected(part) for part in parts if part is not ...))
        fixed = f"{len(parts)} " if kind is tuple and parts and ... not in parts and len(items) == 1 else ""
        return f"list of {fixed}{items[0]}" if len(items) == 1 and items[0] != "anything" else "list"
    if not isinstance(kind, type):
        return str(kind)
    if kind in NAMES:
        return NAMES[kind]
    if issubclass(kind, os.PathLike):
        return "path"
    if issubclass(kind, enum.Enum):
        return f"one of {', '.join(repr(member.value) for member in kind)}"
    if issubclass(kind, collections.abc.Mapping):
        return "mapping"
    builtin = kind.__module__ == "builtins" or kind.__module__ == "collections.abc"
    return kind.__name__ if builtin else f"{kind.__name__}{MADE}"


def choices_of(hint: Any) -> list[Any]:
    """The values that its literals name."""
    hint, origin, parts = _taken_apart(hint)
    if origin is Literal:
        return list(parts)
    return [choice for part in parts for choice in choices_of(part)] if origin in (Union, types.UnionType) else []


def _taken_apart(hint: Any) -> tuple[Any, Any, tuple[Any, ...]]:
    """The hint without its other names (NewType, `type X = ...`, Annotated), its origin and its arguments.

    A TypeVar, whose bound the class itself may not keep to, is anything.
    """
    while inner := getattr(hint, "__supertype__", None) or getattr(hint, "__value__", None):
        hint = inner
    if get_origin(hint) is Annotated:
        return _taken_apart(get_args(hint)[0])
    if isinstance(hint, TypeVar):
        hint = Any
    return (type(None) if hint is None else hint), get_origin(hint), get_args(hint)


def _items_fit(values: list[Any], kind: Any, parts: tuple[Any, ...]) -> bool:
    if kind is tuple and parts and ... not in parts:
        return len(values) == len(parts) and all(map(fits, values, parts))
    return all(fits(value, parts[0]) for value in values) if parts else True


def _is_instance(value: Any, kind: Any) -> bool:
    if kind is collections.abc.Callable:
        return False
    try:
        return isinstance(value, kind)
    except TypeError:  # typed dictionaries and protocols, which cannot be asked
        return True


def _is_made_for(made: Made, kind: Any) -> bool:
    if kind is collections.abc.Callable:
        return made.partial or not isinstance(made.target, type) or "__call__" in dir(made.target)
    if made.partial or not isinstance(made.target, type):  # what a function returns is not known
        return not (made.partial and kind in (int, float, bool, str, list, dict, type(None)))
    try:
        return issubclass(made.target, kind)
    except TypeError:
        return True
