"""The story of one training as `result.json` tells it, from its start to its end."""

import time
import traceback
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from leyden.runs.folder import FORMAT, RunFolder
from leyden.runs.processes import is_first_process


class Record:
    """Writes `result.json` at the start and at every change of status. Of several processes only the first writes."""

    def __init__(
        self, run: RunFolder, name: str, monitor: Mapping[str, str], earlier: Mapping[str, Any] | None
    ) -> None:
        """`monitor` has the keys `metric` and `mode`; `earlier` is the result of the same run before it was resumed."""
        self.run = run
        self.result: dict[str, Any] = {
            "format": FORMAT,
            "name": name,
            "started": datetime.now().isoformat(timespec="seconds"),
            "status": "running",
            "monitor": {"name": monitor["metric"], "mode": monitor["mode"], "value": None},
            "metrics": {},
            "best_checkpoint": None,
            "last_checkpoint": None,
            "seconds": 0.0,
            "steps": 0,
            "epochs": 0,
            "error": None,
        } | {key: earlier[key] for key in ("started", "metrics", "seconds", "steps", "epochs") if earlier}
        self._trainer: Any = None
        self._best: Any = None
        self._earlier_config: str | None = None
        self._began = 0.0
        self._writes = earlier is None  # a run that cannot be resumed keeps the result that it has
        self._write()

    def training_begins(self, trainer: Any, best: Any) -> None:
        """From here on the record follows a lightning Trainer, and the callback that knows the best monitored value."""
        self._trainer, self._best, self._began = trainer, best, time.monotonic()

    def keep_config(self) -> None:
        """Remember what a run that is about to be resumed was configured as, until it has truly begun again."""
        file = self.run.path / "config.yaml"
        self._earlier_config = None if self._writes or not file.is_file() else file.read_text()

    def first_step(self) -> None:
        """Nothing can be wrong with the config any more: a resumed run has truly begun again."""
        self._writes, self._earlier_config = True, None
        self._write()

    def training_ends(self) -> None:
        """Take over how far the trainer got in how many seconds, the metrics it logged last, and the best monitored."""
        trainer, self._trainer = self._trainer, None
        if trainer is None:
            return
        self.result["monitor"]["value"] = self._best.value
        self.result["metrics"] |= {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.result["seconds"] = round(self.result["seconds"] + time.monotonic() - self._began, 3)
        self.result |= {"steps": trainer.global_step, "epochs": trainer.current_epoch}

    def finished(self, test_metrics: Mapping[str, float]) -> None:
        self._writes, self._earlier_config = True, None  # also where all that was left to do was the test
        self.result["metrics"] |= test_metrics
        self._close("finished", None)

    def stopped(self, error: BaseException, line: str | None) -> None:
        """`line` says what `error` means, where that is known; the whole of it goes into the log."""
        self.training_ends()
        if self._earlier_config is not None and is_first_process():
            self.run.write("config.yaml", self._earlier_config)
        if is_first_process() and self._writes:
            with self.run.log.open("a") as log:
                log.write("".join(traceback.format_exception(error)))
        status = "interrupted" if isinstance(error, KeyboardInterrupt | SystemExit) else "failed"
        self._close(status, line or f"{type(error).__name__}: {error}".splitlines()[0])

    def _close(self, status: str, error: str | None) -> None:
        for name in ("best", "last"):
            if (self.run.checkpoints / f"{name}.ckpt").is_file():
                self.result[f"{name}_checkpoint"] = f"checkpoints/{name}.ckpt"
        self.result |= {"status": status, "error": error}
        self._write()

    def _write(self) -> None:
        if is_first_process() and self._writes:
            self.run.write_result(self.result)
