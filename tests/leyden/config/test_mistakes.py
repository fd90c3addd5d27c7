import shlex

from leyden.config.mistakes import Mistake, WordsError, in_shell


def test_a_later_mistake_mends_what_an_earlier_one_puts_in_place_and_is_not_told() -> None:
    found = [Mistake(("--lr", "1"), "no flag", ("lr=1",)), Mistake(("lr=1",), "no key", ("optimizer.lr=1",))]
    wrong = WordsError(found)
    assert str(wrong) == "no flag"
    assert wrong.corrected(["seed=1", "--lr", "1"]) == ["seed=1", "optimizer.lr=1"]
    assert WordsError([found[0], Mistake(("lr=1",), "no key")]).corrected(["--lr", "1"]) is None


def test_a_command_that_is_wrong_itself_is_not_proposed() -> None:
    wrong = WordsError([Mistake(("a",), "is wrong?", ("b",))])
    wrong.propose("train", ["a", "c"], lambda words: False)
    assert wrong.command is None
    wrong.propose("train", ["a", "c"], lambda words: True)
    assert wrong.command == "train b c"


def test_a_command_is_quoted_for_the_shell() -> None:
    words = ["-m", "seed=1,2", "a=[1,2]", "name='it is'", "b=${seed}", "c=range(3)"]
    shown = in_shell(words)
    assert shlex.split(shown) == words
    assert shown == "-m seed=1,2 'a=[1,2]' \"name='it is'\" 'b=${seed}' 'c=range(3)'"
    assert in_shell(["name='a!b c'"]) == "'name='\"'\"'a!b c'\"'\"''"
