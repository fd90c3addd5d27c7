"""The command line in processes that need not import torch: forks of one that has, which saves three seconds each.

Each is a process of its own, with its own folder, environment and output; only what happens while Python imports is not
as in a shell. Started by `conftest.py` as `python forkserver.py`; it reads a request a line, and answers each with an
exit status.
"""

import atexit
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

VERBS = ("check", "evaluate", "export", "predict", "resume")
IMPORTED = ("leyden.sweeps.sweeper", "tensorboard", "torchvision", *(f"leyden.verbs.{verb}" for verb in VERBS))
ONE_THREAD = {"OMP_NUM_THREADS": "1"}

Completed = subprocess.CompletedProcess[str]


class ForkServer:
    """Runs commands one after the other."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **ONE_THREAD}, text=True,
        )  # fmt: skip

    def run(self, words: Sequence[str], cwd: Path, **environment: str) -> Completed:
        """What a shell would have seen of `python FILE ...`, `python -c CODE` or `leyden ...`."""
        assert self.process.stdin
        assert self.process.stdout
        with tempfile.TemporaryDirectory() as folder:
            streams = [Path(folder) / name for name in ("out", "err")]
            request = words, str(cwd), {**os.environ, **ONE_THREAD, **environment}, list(map(str, streams))
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            status = int(self.process.stdout.readline())
            return Completed(words, status, *(stream.read_text() for stream in streams))


def serve() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    for request in sys.stdin:
        words, cwd, environment, streams = json.loads(request)
        child = os.fork()
        if not child:
            become(words, cwd, environment, streams)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(words: Sequence[str], cwd: str, environment: Mapping[str, str], streams: Sequence[str]) -> NoReturn:
    """Be the process that a shell would have started, to its end."""
    status = 1
    try:
        for number, stream in enumerate(["/dev/null", *streams]):
            os.dup2(os.open(stream, os.O_RDWR | os.O_CREAT), number)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(cwd)
        name, *rest = words
        sys.argv = rest if name == "python" else [str(Path(sys.executable).with_name(name)), *rest]
        program = sys.argv[0]
        sys.path[0] = str(Path(program).parent.resolve())
        sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if program == "-c":
            exec(sys.argv.pop(1), {"__name__": "__main__"})
        else:
            runpy.run_path(program, run_name="__main__")
        status = 0
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
