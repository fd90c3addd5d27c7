import enum
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NewType, Optional, Protocol, TypedDict, TypeVar, Union

import pytest
import torch
from omegaconf import DictConfig
from torch import nn

from leyden.config.hints import Made, expected, fits, hint_of


class Mode(enum.Enum):
    LOW = "min"
    HIGH = "max"


class Loss(Protocol):
    def __call__(self, a: int) -> int: ...


class Options(TypedDict):
    a: int


Item = TypeVar("Item")
Number = TypeVar("Number", bound=float)
Either = TypeVar("Either", int, str)


class Makes(Protocol[Item]):
    def made(self) -> Item: ...


class Pair(TypedDict, Generic[Item]):
    first: Item


Width = NewType("Width", int)
Widths = NewType("Widths", list[int])
Wide = NewType("Wide", Width)
MODULE = "Module (with a _target_)"


@pytest.mark.parametrize(("hint", "taken", "refused", "called"), [
    (int, [1, -1], [1.0, "1", True, None, [1]], "int"),
    (float, [1, 0.5, float("inf")], ["1e-3", True, None], "float"),
    (bool, [True, False], [0, "true", None], "bool"),
    (str, ["", "1"], [1, True, None, ["a"]], "str"),
    (None, [None], [0, "null"], "null"),
    (Path, ["data"], [1, None], "path"),
    (str | os.PathLike[str], ["data"], [1, None], "str or path"),
    (int | None, [1, None], ["1"], "int or null"),
    (Optional[float], [1, None], ["1"], "float or null"),  # noqa: UP045
    (Union[float, torch.Tensor], [1e-3], ["1e-3", None], "float"),  # noqa: UP007
    (Literal["min", "max"], ["min"], ["mx", 1, None], "one of 'min', 'max'"),
    (Literal[16, "32"], [16, "32"], ["16", 32], "one of 16, '32'"),
    (Literal[1], [1], [True, 1.0], "one of 1"),
    (Mode, ["LOW", "max"], ["low", 1], "one of 'min', 'max'"),
    (Sequence[int], [[], [1, 2]], [4, ["a"], "12", [1, True]], "list of int"),
    (Iterable[str], [["a"]], ["a", {"a": 1}], "list of str"),
    (list[int | None], [[1, None]], [[""]], "list of int or null"),
    (tuple[float, float], [[0.9, 0.99]], [[0.9], 0.9], "list of 2 float"),
    (tuple[int, ...], [[1, 2, 3]], [["a"]], "list of int"),
    (tuple[int, str], [[1, "a"]], [["a", 1]], "list"),
    (set[str], [["a"]], ["a"], "list of str"),
    (dict[str, int], [{"a": 1}, {}], [{"a": "b"}, [1], {1: 1}], "mapping of str to int"),
    (Mapping[str, Sequence[int]], [{"a": [1]}], [{"a": 1}], "mapping of str to list of int"),
    (DictConfig, [{"a": 1}], [1, "a"], "mapping"),
    (Annotated[int, "even"], [2], ["2"], "int"),
    (Width, [2], ["2"], "int"),
    (Callable[[int], int], [Made(torch.optim.SGD, True), Made(nn.ReLU, False)], ["relu", Made(dict, False)],
     "callable (with a _target_)"),
    (nn.Module, [Made(nn.ReLU, False), Made(len, False)], ["relu", Made(torch.optim.SGD, False)], MODULE),
    (Sequence[nn.Module], [[Made(nn.ReLU, False)]], [["relu"], [Made(nn.ReLU, False), 1]], f"list of {MODULE}"),
    (nn.Module | None, [None, Made(nn.ReLU, False)], [3], f"{MODULE} or null"),
    (int, [], [Made(nn.ReLU, False), Made(nn.ReLU, True)], "int"),
])  # fmt: skip
def test_what_a_hint_takes_and_how_it_is_called(hint: Any, taken: list[Any], refused: list[Any], called: str) -> None:
    assert [value for value in taken if not fits(value, hint)] == []
    assert [value for value in refused if fits(value, hint)] == []
    assert expected(hint) == called


@pytest.mark.parametrize("hint", [
    Any, object, hint_of("NowhereImported", {}), hint_of("1 +", {}), "Later", Loss, Makes, Makes[int], Item, Number,
    Either, Item | None, hint_of("Number | None", globals()), hint_of([1], {}),
])  # fmt: skip
def test_hints_that_cannot_be_judged_take_anything(hint: Any) -> None:
    assert [value for value in (1, "a", None, [1], {"a": 1}, Made(nn.ReLU, False)) if not fits(value, hint)] == []


@pytest.mark.parametrize(
    ("hint", "value", "called"),
    [
        (Options, {"a": 1}, "mapping"),
        (Pair[int], {"first": 1}, "mapping"),
        (list[Options], [{"a": 1}], "list of mapping"),
        (list[Item], [1, "a", None], "list"),
        (dict[str, Item], {"a": [1]}, "mapping of str to anything"),
        (Number, 1, "anything"),
        (Makes[int] | None, Made(nn.ReLU, False), "Makes (with a _target_) or null"),
        (Widths, [1, 2], "list of int"),
        (Wide, 2, "int"),
        (hint_of([1, 2], {}), "a", "[1, 2]"),
    ],
)
def test_what_typing_makes_is_taken_and_called_by_what_yaml_has(hint: Any, value: Any, called: str) -> None:
    assert fits(value, hint)
    assert expected(hint) == called


def test_an_annotation_is_read_among_the_names_of_its_module() -> None:
    assert hint_of("Width | None", globals()) == Width | None
    assert hint_of('list["Width"]', globals()) == list[Width]
