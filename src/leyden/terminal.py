"""What is said on the terminal."""

from rich.console import Console, RenderableType


def show(console: Console, *parts: RenderableType) -> None:
    """Print parts one below the other; a text is never wrapped, so that what is in it can be copied."""
    for part in parts:
        console.print(part, highlight=False, soft_wrap=isinstance(part, str), markup=False)
