"""Jobs of a sweep as tasks of Ray's, on a cluster of its own or on this machine."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hydra.core.utils import JobReturn
from omegaconf import DictConfig, OmegaConf

from leyden.config.app import HOME
from leyden.signals import stop, told_to_stop
from leyden.sweeps.launcher import Ended, Jobs, JobsElsewhere, returned

SAVE_SECONDS = 60.0  # at most, for jobs that are told to stop


class RayLauncher(JobsElsewhere):
    """The keys are those of hydra-ray-launcher, which is not needed: `ray.init` goes to ray.init, `ray.remote` is what
    each job takes.

    A job whose worker dies is started again by Ray, three times, and goes on in its folder.
    """

    def __init__(self, ray: DictConfig) -> None:
        self.settings: dict[str, dict[str, Any]] = OmegaConf.to_container(ray, resolve=True)  # type: ignore[assignment]

    def run(
        self, jobs: Iterator[Sequence[str]], begun: Callable[[int], None], ended: Callable[[int, JobReturn], None]
    ) -> None:
        import ray

        ours = {name: os.environ[name] for name in ("PYTHONPATH", HOME) if name in os.environ}
        environment = self.settings["init"].pop("runtime_env", {})
        environment["env_vars"] = ours | environment.get("env_vars", {})
        with told_to_stop(stop):
            if not ray.is_initialized():
                ray.init(**self.settings["init"], runtime_env=environment)
            task, common = ray.remote(**self.settings["remote"])(_run), ray.put(self.jobs)
            running = {}
            try:
                for index, words in enumerate(jobs):
                    begun(index)
                    running[task.remote(common, list(words))] = index
                while running:
                    (over, *_), _ = ray.wait(list(running))
                    ended(running.pop(over), returned(_outcome(over)))
            except BaseException:
                for one in running:
                    ray.cancel(one)  # as Ctrl-C: it saves
                ray.wait(list(running), num_returns=len(running), timeout=SAVE_SECONDS)
                raise


def _run(jobs: Jobs, words: Sequence[str]) -> Ended:
    return jobs(words)


def _outcome(task: Any) -> Ended:
    import ray

    try:
        result: Ended = ray.get(task)
    except ray.exceptions.RayError as error:
        return True, str(error).strip().splitlines()[0]
    return result
