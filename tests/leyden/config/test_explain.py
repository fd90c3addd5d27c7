import pytest

from leyden.config.explain import explain
from leyden.errors import UserError
from leyden.nearest import did_you_mean


def test_the_nearest_name_is_proposed_and_none_where_none_is_near() -> None:
    assert did_you_mean("xorr", ["sine", "xor", "cifar10"]) == ", did you mean xor?"
    assert did_you_mean("qqq", ["sine", "xor"]) == ""


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
