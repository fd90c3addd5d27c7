"""A shell that has imported already what `python train.py` and `leyden` need, so that a command of many takes a tenth.

Each command runs in a fork of it: nothing is left of one when the next begins.
"""

import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

PRELOADED = ("leyden.verbs.train", "leyden.verbs.predict", "leyden.config.app", "tensorboard", "torchvision")


class WarmShell:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, words: Sequence[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """What a shell would have seen of `python FILE ...`, `python -c CODE` or `leyden ...`."""
        assert self._process.stdin
        assert self._process.stdout
        with tempfile.TemporaryDirectory() as said:
            request = {"words": words, "folder": str(folder), "environment": environment, "said": said}
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            status = int(self._process.stdout.readline())
            out, err = ((Path(said) / name).read_text() for name in ("out", "err"))
            return subprocess.CompletedProcess(words, status, out, err)

    def close(self) -> None:
        self._process.communicate()


def serve() -> None:
    for name in PRELOADED:
        __import__(name)
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            be(**json.loads(line))
            return
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def be(words: Sequence[str], folder: str, environment: dict[str, str], said: str) -> None:
    """The process that a shell would have started."""
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(Path(said) / name, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    os.environ.update(environment)
    sys.path.insert(0, environment["PYTHONPATH"])  # where the project's own `lab` is; nothing has imported it yet
    program, *sys.argv = words
    if program == "leyden":
        from leyden.cli import main

        main(sys.argv)
    elif sys.argv[0] == "-c":
        exec(sys.argv[1], {"__name__": "__main__"})
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    serve()
