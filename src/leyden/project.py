"""Where the project is that a command is typed in."""

from pathlib import Path

from leyden.errors import UserError


def project_folder(start: Path) -> Path:
    """The nearest folder, from `start` upwards, that holds `configs/train.yaml`. Raises UserError where none does."""
    for folder in (start, *start.parents):
        if (folder / "configs" / "train.yaml").is_file():
            return folder
    raise UserError(f"{start}: no configs/train.yaml here or in a folder above; call leyden inside a project")
