import pytest

from leyden.config.explain import explain, in_one_line
from leyden.errors import UserError


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (UserError("first\n  second", "third"), ["first second", "third"]),
        (FileNotFoundError(2, "No such file or directory", "a.csv"), ["[Errno 2] No such file or directory: 'a.csv'"]),
        (ZeroDivisionError("division by zero"), []),
    ],
)
def test_mistakes_of_the_user_become_a_line_each_and_faults_of_the_program_do_not(
    error: Exception, lines: list[str]
) -> None:
    assert explain(error) == lines


def test_where_there_is_one_line_for_all_of_it() -> None:
    assert in_one_line(UserError("first", "second")) == "first; second"
    assert in_one_line(ZeroDivisionError("division\nby zero")) == "ZeroDivisionError: division"
