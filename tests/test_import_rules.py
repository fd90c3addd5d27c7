from conftest import command


def test_no_room_of_the_house_knows_one_above_it() -> None:
    """The contracts stand in pyproject.toml."""
    completed = command("lint-imports", "--no-cache")
    assert completed.returncode == 0, completed.stdout
    assert "3 kept, 0 broken" in completed.stdout
