import pytest

from leyden.config.explain import explain
from leyden.errors import UserError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("first\n  second"), "first second"),
        (FileNotFoundError(2, "No such file or directory", "a.csv"), "[Errno 2] No such file or directory: 'a.csv'"),
        (ZeroDivisionError("division by zero"), None),
    ],
)
def test_mistakes_of_the_user_become_one_line_and_faults_of_the_program_do_not(error: Exception, line: str) -> None:
    assert explain(error) == line
