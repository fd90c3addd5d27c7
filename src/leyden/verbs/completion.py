"""Completion at TAB: the shells' scripts, and where each shell looks for them."""

import os
from pathlib import Path
from typing import Literal

from leyden.files import write_whole

SCRIPTS = Path(__file__).parents[1] / "completion"


def completion(shell: Literal["bash", "zsh", "fish"], *, install: bool = False) -> None:
    """Print what lets a shell complete leyden and python train.py at TAB.

    install=true writes it where the shell looks for such scripts by itself (make completion: of the shell that you
    use), changes no file of yours, and says what there is left to do.
    """
    script = SCRIPTS / f"leyden.{shell}"
    if install:
        {"bash": _for_bash, "zsh": _for_zsh, "fish": _for_fish}[shell](script.read_bytes())
    else:
        print(script.read_text(), end="")


def _for_bash(script: bytes) -> None:
    """A file for each command: bash-completion reads them when the command is first completed."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "bash-completion"
    file = Path(os.environ.get("BASH_COMPLETION_USER_DIR") or data) / "completions" / "leyden"
    _write(file, script)
    for name in ("python", "python3"):
        link = file.with_name(name)
        if link.is_symlink() and link.resolve() == file.resolve():
            continue
        if link.exists() or link.is_symlink():
            print(f"{link} is yours, and stays: add to ~/.bashrc: source {file}")
        else:
            link.symlink_to(file.name)
    print(f"new shells know it where bash-completion is installed; elsewhere add to ~/.bashrc: source {file}")


def _for_zsh(script: bytes) -> None:
    home = Path(os.environ.get("ZDOTDIR") or Path.home())
    file = home / ".zfunc" / "_leyden"
    _write(file, script)
    print(f"add to {home / '.zshrc'}: fpath=({file.parent} $fpath); autoload -Uz compinit; compinit")


def _for_fish(script: bytes) -> None:
    """In conf.d: of completions/python.fish, fish would read ours in the place of its own."""
    _write(
        Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "fish" / "conf.d" / "leyden.fish", script
    )
    print("new shells know it")


def _write(file: Path, script: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, script)
    print(file)
