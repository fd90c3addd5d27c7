"""What goes wrong in the user's own code while it trains, told without the frames of the engine and its libraries."""

import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

FOLDED = {"hydra", "leyden", "lightning", "omegaconf", "torch", "torchmetrics", "torchvision", *sys.stdlib_module_names}


def whole(error: BaseException) -> str:
    """The traceback with all its frames."""
    return "".join(traceback.format_exception(error))


def folded(error: BaseException) -> str:
    """The traceback with the frames of the user's own code alone; all of it where there is none, for then it is a fault
    of ours."""
    if told := _told_by_worker(error):
        return told
    chain = list(_chain(error))
    frames = [list(_links(each.__traceback__)) for each in chain]
    own = [[link for link in links if not _is_folded(link)] for links in frames]
    left_out = sum(map(len, frames)) - sum(map(len, own))
    if not any(own) or not left_out:
        return whole(error)
    for each, links in zip(chain, own, strict=True):
        each.__traceback__ = _joined(links)
    said = f"(without {left_out} frames of the engine and its libraries: full_traceback=true shows them)"
    return f"{whole(error)}{said}\n"


def own_place(error: BaseException) -> str | None:
    """The last line of the user's own code that an error came through, as `src/lab/models/simple_net.py:12`."""
    own = [link for link in _links(error.__traceback__) if not _is_folded(link)]
    if not own:
        return None
    file = Path(own[-1].tb_frame.f_code.co_filename)
    shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    return f"{shown}:{own[-1].tb_lineno}"


def raised_in(error: BaseException) -> str:
    """The module that raised it; empty where that is not known."""
    *_, last = [None, *_links(error.__traceback__)]
    return "" if last is None else str(last.tb_frame.f_globals.get("__name__"))


def _told_by_worker(error: BaseException) -> str | None:
    """What a process that loads data has raised: torch puts the traceback of it into the message."""
    text = re.match(
        r"Caught \w+ in (DataLoader worker process \d+)\.\nOriginal (Traceback.*?\n)(.*)", str(error), re.DOTALL
    )
    if text is None:
        return None
    where, head, rest = text.groups()
    *frames, last = re.split(r"^(?=  File |\S)", rest, flags=re.MULTILINE)[1:]
    while frames and not frames[-1].startswith("  File "):
        last = frames.pop() + last
    others = "|".join(re.escape(str(Path(file).parent)) for file in (__file__, traceback.__file__))
    own = [frame for frame in frames if not re.match(f'  File "({others}|.*site-packages)', frame)]
    if not own:
        return None
    said = f"(in {where}; without all other frames: full_traceback=true shows them)"
    return "".join([head, *own, last.rstrip("\n"), f"\n{said}\n"])


def is_out_of_memory(error: BaseException) -> bool:
    """Of a GPU or of the machine, as torch says it."""
    return isinstance(error, RuntimeError) and bool(re.search("out of memory|can't allocate memory", str(error)))


def asked_for(error: BaseException) -> str:
    """How much memory there was too little for, as ` for 2.5 GiB`, where the error says it."""
    amount = re.search(r"tried to allocate ([\d.]+) (\w+)", str(error), re.IGNORECASE)
    return f" for {amount[1]} {amount[2]}" if amount else ""


def batch_at(error: BaseException) -> Any | None:
    """What the step that raised was given as its `batch`; None where none was at work."""
    steps = [link.tb_frame for link in _links(error.__traceback__) if link.tb_frame.f_code.co_name.endswith("_step")]
    return next((step.f_locals["batch"] for step in reversed(steps) if "batch" in step.f_locals), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _links(link: TracebackType | None) -> Iterator[TracebackType]:
    while link is not None:
        yield link
        link = link.tb_next


def _joined(links: list[TracebackType]) -> TracebackType | None:
    first: TracebackType | None = None
    for link in reversed(links):
        first = TracebackType(first, link.tb_frame, link.tb_lasti, link.tb_lineno)
    return first


def _is_folded(link: TracebackType) -> bool:
    return str(link.tb_frame.f_globals.get("__name__")).split(".")[0] in FOLDED
