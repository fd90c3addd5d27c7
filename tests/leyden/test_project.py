from pathlib import Path

import pytest

from leyden.errors import UserError
from leyden.project import project_folder


def test_the_project_is_found_from_any_folder_in_it(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "train.yaml").touch()
    inside = tmp_path / "src" / "lab"
    inside.mkdir(parents=True)
    assert project_folder(tmp_path) == project_folder(inside) == tmp_path


def test_outside_of_a_project_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no configs/train\.yaml here or in a folder above"):
        project_folder(tmp_path)
