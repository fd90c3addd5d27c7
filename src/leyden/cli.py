"""The command line: which verb, with which arguments. What a verb needs is imported when it is called, not before."""

import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from leyden.arguments import Signature
from leyden.command import train
from leyden.errors import UserError
from leyden.imports import imports_at_once

VERBS = ("train", "evaluate", "predict", "figures", "export", "runs", "report", "diff", "replay", "check", "completion")
COMPLETE = "_complete"  # an inner word: what the scripts of `leyden completion` ask


def main(arguments: Sequence[str] | None = None, project: Path | None = None) -> None:
    """Run a verb. Exits with status 1, and a line on standard error for each mistake that the user can put right."""
    verb, *words = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that knows ASCII alone stops no training
    try:
        if verb == COMPLETE:
            from leyden.completion.words import completions

            sys.stdout.writelines(f"{word}\n" for word in completions(" ".join(words), VERBS))
        elif verb in ("-h", "--help"):
            print(_overview())
        elif verb not in VERBS:
            from leyden.nearest import did_you_mean

            raise UserError(f"leyden has no verb {verb!r}{did_you_mean(verb, VERBS)} (there are: {', '.join(VERBS)})")
        elif verb == "train":
            train(words, project)
        elif set(words) & {"-h", "--help"}:
            print(Signature.of(verb).help())
        else:
            positional, keywords = Signature.of(verb).bind(words)
            try:
                with imports_at_once():
                    module = importlib.import_module(f"leyden.verbs.{verb}")
                getattr(module, verb)(*positional, **keywords)
                sys.stdout.flush()
            except BrokenPipeError:  # whoever reads what is printed has read enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        from leyden.config.explain import fail

        fail(error)
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell counts


def _overview() -> str:
    summaries = {verb: Signature.of(verb).documentation.splitlines()[0] for verb in VERBS}
    lines = [f"  leyden {verb:12}{summary}" for verb, summary in summaries.items()]
    return "\n".join(
        ["leyden: every run is a folder, and every verb takes a run.", "", *lines, "", "leyden VERB --help says more."]
    )
