"""Files of configs/ that cannot be read: one line, with file and line."""

from pathlib import Path

import pytest

from leyden.config.words import all_wrong

G = "# @package _global_\n"
HEADER = "the first line must be `# @package _global_`"


@pytest.mark.parametrize(("text", "said"), [
    ("defaults: [xor]\ntrainer:\n\tmax_epochs: 3\n", "4: a tab where YAML wants spaces"),
    ("optimizer:\n  lr: 1\n  eps: 1\n  lr: 2\n", "5: 'lr' is there twice (line 3)"),
    ("optimizer:\n  - lr: 1\n  - {eps: 1, lr: 2, eps: 3}\n", "4: 'eps' is there twice (line 4)"),
    ("name: 'abc\noptimizer:\n  lr: 1\n", "2: a quote is not closed"),
    ("trainer:\n  max_epochs: 3\n   lr: 3\n", "4: mapping values are not allowed here"),
    ("trainer:\n  max_epochs: 3\n lr: 3\n",
     "4: expected <block end>, but found '<block mapping start>' "
     "(while parsing a block mapping that begins in line 2)"),
    ("defaults: [_self_\nname: x\n",
     "3: expected ',' or ']', but got ':' (while parsing a flow sequence that begins in line 2)"),
    ("name: !!python/name:os.system\n",
     "2: could not determine a constructor for the tag 'tag:yaml.org,2002:python/name:os.system'"),
    ("name: a\x07b\n", "2: special characters are not allowed (#x0007)"),
    ("defaults:\n  override /model: simple_net\n",
     "3: defaults must be a list, of lines such as `- override /model: simple_net`"),
    ("optimizer:\n  lr: ${seed\n", "3: optimizer.lr=${seed: } is missing at its end"),
    ("defaults:\n  - 3\n", "3: Unsupported type in defaults : int"),
])  # fmt: skip
def test_what_yaml_cannot_read_is_told_with_file_and_line(text: str, said: str, configs: Path) -> None:
    (configs / "experiment" / "mine.yaml").write_text(G + text)
    assert str(all_wrong(["experiment=mine"], configs)) == f"configs/experiment/mine.yaml:{said}"


@pytest.mark.parametrize(("text", "said"), [
    (f"{G}name: \xe9\n".encode("latin1"), "2: is not UTF-8 (the byte 0xe9): save it as UTF-8"),
    (b"# @package\nname: x\n", f"1: {HEADER}"),
    (b"# @package _global_ of all\nname: x\n", f"1: {HEADER}"),
])  # fmt: skip
def test_what_is_no_text_or_begins_wrongly(text: bytes, said: str, configs: Path) -> None:
    (configs / "experiment" / "mine.yaml").write_bytes(text)
    assert str(all_wrong(["experiment=mine"], configs)) == f"configs/experiment/mine.yaml:{said}"


def test_a_broken_file_that_is_not_chosen_changes_no_answer(configs: Path) -> None:
    words = ["optimizer.lrr=1"]
    before = str(all_wrong(words, configs))
    (configs / "optimizer" / "bad.yaml").write_text("a: [\n")
    (configs / "optimizer" / "worse.yaml").write_bytes(b"a: \xe9\n")
    assert str(all_wrong(words, configs)) == before
    assert "did you mean optimizer.lr?" in before


def test_a_broken_file_does_not_hide_what_else_is_wrong(configs: Path) -> None:
    (configs / "experiment" / "mine.yaml").write_text("a: [\n")
    said = str(all_wrong(["experiment=mine", "model=simple_nett"], configs))
    assert said.startswith("model=simple_nett: no such option, did you mean simple_net?")
    assert said.endswith(
        "; configs/experiment/mine.yaml:2: expected the node content, but found '<stream end>' "
        "(while parsing a flow node that begins in line 2)"
    )
