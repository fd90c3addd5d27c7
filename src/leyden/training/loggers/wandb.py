"""Curves, parameters and pictures for Weights & Biases: at its server, or in files that can be sent there later."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import WandbLogger as LightningWandbLogger
from lightning.pytorch.utilities import rank_zero_only

from leyden.errors import UserError
from leyden.training.loggers.of_runs import Params, RunLogger, Status, name_of

log = logging.getLogger(__name__)

Mode = Literal["online", "offline", "disabled"]
EXIT_CODES = {"finished": 0, "failed": 1, "interrupted": 255}  # the last one is wandb's own for Ctrl-C


class WandbLogger(RunLogger, LightningWandbLogger):
    """Lightning's, with one run for each `save_dir`, which its files are in; quiet, and without a question.

    Without a `mode`, and where neither WANDB_MODE nor wandb's settings name one, it is offline where there is no key. A
    run that goes on adds a folder with the same id: `wandb sync` sends both, one after the other. Further arguments are
    those of Lightning's, and of `wandb.init`. wandb writes once a second: what it was told in the second before a
    SIGKILL is lost to it, and what was logged after the last checkpoint is in it twice, at the same step. Where wandb's
    own process dies, training goes on, and wandb is told nothing more.

    Raises UserError where wandb refuses the run, or its server does not answer within WANDB_INIT_TIMEOUT (20 s).
    """

    def __init__(
        self,
        save_dir: str | os.PathLike[str],
        project: str = "leyden",
        name: str | None = None,
        mode: Mode | None = None,
        **arguments: Any,
    ) -> None:
        self.folder = Path(save_dir).resolve()
        super().__init__(name=name or name_of(self.folder), save_dir=self.folder, project=project, **arguments)
        self._wandb_init.pop("anonymous")  # wandb warns of it, whatever it is
        self.mode = mode
        self._wrote_hyperparams = False

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The wandb run, which is begun where it is not yet."""
        if self._experiment is None:
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # it asks the network, offline too
            os.environ.setdefault("WANDB_INIT_TIMEOUT", "20")  # its own are 90 s
            import wandb

            settings = wandb.Settings(silent=True, console="off", x_transaction_log_flush_interval=1.0)
            known = self._wandb_init["id"] or _id_in(self.folder)
            try:
                mode = _mode(self.mode)
                self._wandb_init |= {"mode": mode, "settings": settings, "id": known}
                run: Any = super().experiment
            except wandb.errors.CommError as error:
                instead = "logger.wandb.mode=offline (or WANDB_MODE=offline) needs no server"
                raise UserError(f"WandbLogger: {error}; {instead}") from error
            except wandb.Error as error:
                raise UserError(f"WandbLogger: {error}") from error
            if mode != "disabled":
                where = f"wandb sync {os.path.relpath(Path(run.dir).parent)}" if mode == "offline" else run.url
                log.info(f"wandb: {mode}; {where}")
        return super().experiment

    @rank_zero_only
    def log_hyperparams(self, params: Params, *args: Any, **kwargs: Any) -> None:
        """The first ones alone: Lightning then gives the module's own, which are among those of a run."""
        if not self._wrote_hyperparams:
            with self._while_it_lives():
                super().log_hyperparams(params)
            self._wrote_hyperparams = True

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        with self._while_it_lives():
            super().log_metrics(metrics, step)

    @rank_zero_only
    def log_image(self, key: str, images: list[Any], step: int | None = None, **arguments: Any) -> None:
        with self._while_it_lives():
            super().log_image(key, images, step, **arguments)

    @rank_zero_only
    def log_summary(self, values: Mapping[str, str | float]) -> None:
        with self._while_it_lives():
            self.experiment.summary.update(dict(values))

    @rank_zero_only
    def close(self, status: Status) -> None:
        if self._experiment is not None:
            with self._while_it_lives():
                self._experiment.finish(exit_code=EXIT_CODES[status])
            self._experiment = None

    @contextmanager
    def _while_it_lives(self) -> Iterator[None]:
        """Let training go on where wandb's own process has died, and say so once."""
        from wandb.sdk.mailbox import HandleAbandonedError, MailboxClosedError

        try:
            yield
        except (ConnectionError, HandleAbandonedError, MailboxClosedError):
            log.warning("wandb: its process is gone; training goes on, and nothing more is sent to wandb")
            self._experiment = _in_place_of_the_dead()


def _mode(asked: Mode | None) -> str:
    """The mode that was asked for, here or in wandb's settings; else offline where there is no key.

    Raises UserError where wandb would have to ask for one.
    """
    import wandb
    from wandb.sdk.lib.wbauth import read_netrc_auth  # which knows under which names its server was

    settings = wandb.setup().settings
    has_key = bool(settings.api_key or settings.identity_token_file or read_netrc_auth(host=settings.base_url))
    named = settings.mode != "online" or "WANDB_MODE" in os.environ
    mode = asked or (settings.mode if named or has_key else "offline")
    if mode == "online" and not has_key:
        raise UserError("WandbLogger: mode=online needs a key (wandb login, or WANDB_API_KEY); mode=offline needs none")
    return mode


def _in_place_of_the_dead() -> Any:
    """A run of wandb's that keeps nothing. Its dead process is forgotten: not asked at the exit, nor by a next run."""
    import wandb
    from wandb.sdk.lib import module

    with suppress(ConnectionError):
        wandb.teardown()
    module.unset_globals()
    return wandb.init(mode="disabled")


def _id_in(folder: Path) -> str | None:
    """That of the wandb run that was begun in the folder earlier."""
    runs = sorted((folder / "wandb").glob("*run-*-*"), key=_began)
    return runs[-1].name.rpartition("-")[2] if runs else None


def _began(run: Path) -> str:
    return run.name.rpartition("run-")[2]
