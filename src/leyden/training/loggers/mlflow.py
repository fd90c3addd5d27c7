"""Curves, parameters and pictures for MLflow: in a database, or at a server."""

import fcntl
import logging
import math
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image

from leyden.errors import UserError
from leyden.training.loggers.of_runs import Params, Picture, RunLogger, Status, flat, name_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

SQLITE = "sqlite:///"
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}  # its own is 4 minutes in all
TRY_AGAIN_SECONDS = 30.0
LONGEST = 6000  # characters of a parameter
MOST_VALUES, MOST_PARAMS = 1000, 100  # in one call
STATUS = {"finished": "FINISHED", "success": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}


class MLFlowLogger(RunLogger, Logger):
    """One run of MLflow for each `save_dir`, in the experiment of that name; its tag `run_folder` is that folder.

    `tracking_uri` is that of a database or of a server, such as sqlite:///logs/mlflow.db, where pictures go to
    logs/mlflow. It is asked for with the first parameters; the run is made with the first step, or the first value; all
    else is written once a second, and before every checkpoint. While MLflow does not answer, values are kept, and
    training goes on. It takes nothing back: what a run that goes on logs once more is left out. A parameter that
    changes while it goes on becomes a tag.

    Raises UserError where there is no such database, or no server answers.
    """

    def __init__(self, save_dir: str | os.PathLike[str], experiment_name: str, tracking_uri: str) -> None:
        super().__init__()
        self.folder = Path(save_dir).resolve()
        self.experiment_name = experiment_name
        self.tracking_uri = tracking_uri
        of_file = tracking_uri.startswith(SQLITE)
        self._file = Path(tracking_uri.removeprefix(SQLITE).partition("?")[0]).resolve() if of_file else None
        self._client: MlflowClient | None = None
        self._experiment_id = ""
        self._run_id: str | None = None
        self._params: dict[str, str] | None = None
        self._values: dict[tuple[str, int], tuple[float, int]] = {}  # name, step: value, milliseconds; to be written
        self._there: dict[str, int] = {}  # the last step of each name that an earlier logger of this run wrote
        self._step = 0
        self._answers = True
        self._next_try = 0.0

    @property
    def name(self) -> str:
        return self.experiment_name

    @property
    def version(self) -> str:
        return name_of(self.folder)

    @property
    def save_dir(self) -> str:
        return str(self.folder)

    @property
    @rank_zero_experiment
    def experiment(self) -> "MlflowClient":
        """The client, for whatever else MLflow can do with `run_id`."""
        if self._client is None:
            for name, value in {"MLFLOW_DISABLE_TELEMETRY": "true", **PATIENCE}.items():
                os.environ.setdefault(name, value)
            with self._explained():
                from mlflow import MlflowClient

                for library in ("mlflow", "alembic"):  # which tell of every table that they make
                    logging.getLogger(library).setLevel(logging.WARNING)
                logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # and this of every second try
                if self._file is not None:
                    _make_database(self._file)
                client = MlflowClient(self.tracking_uri)
                self._experiment_id = self._experiment_of(client)
                self._client = client
        return self._client

    @property
    def run_id(self) -> str:
        """The run's, which is made where there is none yet."""
        if self._run_id is None:
            with self._explained():
                self._run_id = self._open()
            log.info(f"mlflow: {self.experiment_name}, {self.version} in {self.tracking_uri}")
        return self._run_id

    @rank_zero_only
    def begin(self) -> None:
        _ = self.run_id

    @rank_zero_only
    def log_hyperparams(self, params: Params, *args: Any, **kwargs: Any) -> None:
        """The first ones alone: Lightning then gives the module's own, which are among those of a run."""
        if self._params is None:
            _ = self.experiment  # what is not there is said before anything is trained
            self._params = {_allowed(name): str(value)[:LONGEST] for name, value in flat(params).items()}
            if self._run_id is not None:
                self._log_params(self._run_id, {})

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._step, now = step or 0, int(time.time() * 1000)
        for name, value in metrics.items():
            self._values[_allowed(name), self._step] = (float(value), now)

    @rank_zero_only
    def log_image(self, key: str, images: Sequence[Picture], step: int | None = None) -> None:
        """As Lightning's other loggers take them; several get numbers."""
        for number, image in enumerate(images):
            name = key if len(images) == 1 else f"{key}/{number}"
            shown = Image.open(image) if isinstance(image, str) else image
            with self._patiently():
                self.experiment.log_image(self.run_id, shown, key=name, step=step or 0, synchronous=True)

    @rank_zero_only
    def log_summary(self, values: Mapping[str, str | float]) -> None:
        with self._patiently():
            for name, value in values.items():
                if isinstance(value, str):
                    self.experiment.set_tag(self.run_id, name, value)
        self.log_metrics({name: value for name, value in values.items() if not isinstance(value, str)}, self._step)

    @rank_zero_only
    def save(self) -> None:
        if self.is_save_due():
            self.flush(self._step)  # at which more may be logged

    @rank_zero_only
    def flush(self, before: float = math.inf) -> None:
        """Write what was logged at steps before that one; where MLflow does not answer, it is kept."""
        ready = [(name, step) for name, step in self._values if step < before]
        if not ready or (before < math.inf and time.monotonic() < self._next_try):
            return
        from mlflow.entities import Metric

        with self._patiently():
            for first in range(0, len(ready), MOST_VALUES):
                batch = {key: self._values[key] for key in ready[first : first + MOST_VALUES]}
                new = [(*key, *value) for key, value in batch.items() if key[1] > self._there.get(key[0], -1)]
                metrics = [Metric(name, value, when, step) for name, step, value, when in new]
                self.experiment.log_batch(self.run_id, metrics=metrics)
                self._values = {key: value for key, value in self._values.items() if key not in batch}

    @rank_zero_only
    def finalize(self, status: str) -> None:
        if self._run_id is None and not self._values and status != "success":  # it failed before its first step
            return
        self.flush()
        with self._patiently():
            self.experiment.set_terminated(self.run_id, STATUS[status])

    @rank_zero_only
    def close(self, status: Status) -> None:
        self.finalize(status)
        if self._values and self._run_id is not None:
            log.warning(f"mlflow: {len(self._values)} values are lost to it")

    @contextmanager
    def _patiently(self) -> Iterator[None]:
        """Let training go on while MLflow does not answer, and say so once."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            if self._answers:
                log.warning(f"mlflow: {_line(error)}; training goes on, and curves are handed over later")
            self._answers, self._next_try = False, time.monotonic() + TRY_AGAIN_SECONDS
        else:
            self._answers, self._next_try = True, 0.0

    def _open(self) -> str:
        """The run of this folder: the one that there is, or a new one."""
        client = self.experiment
        quote = "'" if '"' in str(self.folder) else '"'  # MLflow escapes neither in the other
        condition = f"tags.run_folder = {quote}{self.folder}{quote}"
        if found := client.search_runs([self._experiment_id], condition, max_results=1):
            run: str = found[0].info.run_id
            client.update_run(run, status="RUNNING")
            for name in found[0].data.metrics:
                self._there[name] = max(metric.step for metric in client.get_metric_history(run, name))
            self._log_params(run, found[0].data.params)
        else:
            from mlflow.tracking.context.registry import resolve_tags

            tags = resolve_tags({"run_folder": str(self.folder)})  # with user and git commit
            run = client.create_run(self._experiment_id, tags=tags, run_name=self.version).info.run_id
            self._log_params(run, {})
        return run

    def _experiment_of(self, client: "MlflowClient") -> str:
        from mlflow.exceptions import MlflowException

        name = self.experiment_name
        place = None if self._file is None else str(self._file.parent / "mlflow" / name)
        if not (found := client.get_experiment_by_name(name)):
            try:
                return str(client.create_experiment(name, artifact_location=place))
            except MlflowException:
                if not (found := client.get_experiment_by_name(name)):  # else another process was faster
                    raise
        if found.lifecycle_stage == "deleted":
            raise UserError(f"{self.tracking_uri}: its experiment {name} was deleted; give this one another name=...")
        return str(found.experiment_id)

    def _log_params(self, run: str, there: Mapping[str, str]) -> None:
        from mlflow.entities import Param, RunTag

        params = self._params or {}
        new = [Param(name, value) for name, value in params.items() if name not in there]
        changed = [RunTag(name, value) for name, value in params.items() if there.get(name, value) != value]
        for first in range(0, len(new), MOST_PARAMS):
            self.experiment.log_batch(run, params=new[first : first + MOST_PARAMS])
        self.experiment.log_batch(run, tags=changed[:MOST_PARAMS])

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, ImportError, OSError) as error:
            instead = f"; start one there (mlflow server), or choose a file: tracking_uri={SQLITE}logs/mlflow.db"
            said = f"{_line(error)}{instead if _is_unanswered(error) else ''}"
            raise UserError(f"MLFlowLogger, {self.tracking_uri}: {said}") from error


def _make_database(file: Path) -> None:
    """Where there is none. MLflow makes its tables one by one, and fails for good where a second process does so at the
    same time, or where the first was killed: here they are made under another name, by one process."""
    from mlflow import MlflowClient

    file.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if not file.exists():
            partial = file.with_name(f".{file.name}.partial")
            partial.unlink(missing_ok=True)
            MlflowClient(f"{SQLITE}{partial}")
            partial.replace(file)
    finally:
        os.close(folder)


def _allowed(name: str) -> str:
    """The name, without what MLflow takes in none."""
    return re.sub(r"[^\w/. :-]", "_", name, flags=re.ASCII)


def _is_unanswered(error: Exception) -> bool:
    from requests.exceptions import ConnectionError, Timeout

    return isinstance(error.__context__, ConnectionError | Timeout)


def _line(error: Exception) -> str:
    return "no server answers" if _is_unanswered(error) else str(error).partition("\n")[0]
