"""Arguments read from source, held against what the interpreter says of what is imported."""

import inspect
import re
from pathlib import Path

import pytest
from conftest import CONFIGS
from hydra.utils import get_object

from leyden.completion.constructors import arguments_of

TARGETS = {
    target
    for file in CONFIGS.rglob("*.yaml")
    for target in re.findall(r"^ *_target_: *((?:lab|torch|lightning|leyden\.training)\.\S+)", file.read_text(), re.M)
}


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_they_are_those_of_the_signature(target: str) -> None:
    parameters = inspect.signature(get_object(target)).parameters.values()
    assert arguments_of(target) == [
        each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    ]


def test_of_a_base_of_another_name_or_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_base.py").write_text("class Net:\n    def __init__(self, width, *, depth=1): ...\n")
    (tmp_path / "some_nets.py").write_text(
        "from some_base import Net\nclass Net(Net): ...\nclass Other(Net): ...\nclass Round(Square): ...\n"
        "class Square(Round): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert arguments_of("some_nets.Other") == arguments_of("some_nets.Net") == ["width", "depth"]
    assert arguments_of("some_nets.Round") == arguments_of("some_nets.None") == arguments_of("nowhere") == []
