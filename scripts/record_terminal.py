"""Record what `python train.py experiment=xor` shows on a real terminal, its live line caught halfway.

Writes docs/terminal.svg. Needs tmux: `python scripts/record_terminal.py`. Leaves an ordinary run in logs/xor/.
"""

import io
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

PROJECT = Path(__file__).parents[1]
RECORDED = "python train.py experiment=xor"
COLUMNS = 100
SECONDS = 300.0
POLL_SECONDS = 0.05
HALFWAY = re.compile(r"epoch 5\d\d/1000 .* left")


class Pane:
    """A terminal of `columns` by 60 that runs a shell in the folder `cwd`, by tmux; use as a context manager."""

    def __init__(self, columns: int, cwd: Path, environment: Mapping[str, str] | None = None) -> None:
        self.columns, self.cwd = columns, cwd
        self.environment = {**os.environ, "PS1": "$ ", "LC_ALL": "C.UTF-8", **(environment or {})}
        self.socket = f"leyden-{uuid.uuid4().hex[:8]}"  # a server of its own, which no other session knows

    def __enter__(self) -> "Pane":
        size = ["-x", str(self.columns), "-y", "60"]
        shell = ["bash", "--norc", "--noprofile"]
        self._tmux("-f", os.devnull, "new-session", "-d", *size, "-c", str(self.cwd), *shell)
        return self

    def __exit__(self, *error: object) -> None:
        self._tmux("kill-server")

    def type(self, line: str) -> None:
        self._tmux("send-keys", "-l", line)
        self.press("Enter")

    def press(self, key: str) -> None:
        """A key by tmux's name: `Enter`, `C-c`."""
        self._tmux("send-keys", key)

    def screen(self, *options: str) -> str:
        """What is to be seen; `-e`: with its colours."""
        return self._tmux("capture-pane", "-p", *options).rstrip("\n")

    def until(self, seen: Callable[[str], object], seconds: float = SECONDS) -> str:
        """The screen, as soon as `seen` is true of it. Raises TimeoutError with what is there."""
        deadline = time.monotonic() + seconds
        while not seen(screen := self.screen()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not seen in {seconds:g} s:\n{screen}")
            time.sleep(POLL_SECONDS)
        return screen

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-u", "-L", self.socket, *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout


def recorded() -> str:
    """The last screen, with its colours; the live line, which is gone by then, stands where it was halfway."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with Pane(COLUMNS, PROJECT, environment={"PATH": path, "PYTHONPATH": "src"}) as pane:
        pane.type(RECORDED)
        pane.until(HALFWAY.search)
        line = next(filter(HALFWAY.search, pane.screen("-e").splitlines()))
        pane.until(re.compile(r"^\$$", re.MULTILINE).search)
        shown = pane.screen("-e").splitlines()[:-1]
    table = next(number for number, each in enumerate(shown) if "metric" in each)
    return "\n".join([*shown[:table], line, *shown[table:], ""])


def svg(screen: str, title: str) -> str:
    """The screen as a picture that fetches nothing: with the reader's own monospaced font."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(screen))
    picture = console.export_svg(title=title, theme=MONOKAI)
    return re.sub(r"@font-face \{[^}]*\}\s*", "", picture).replace("Fira Code, monospace", "monospace")


if __name__ == "__main__":
    (PROJECT / "docs" / "terminal.svg").write_text(svg(recorded(), RECORDED))
