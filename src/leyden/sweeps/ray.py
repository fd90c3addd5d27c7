"""Jobs of a sweep as tasks of Ray's, on a cluster of its own or on this machine."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hydra.core.utils import JobReturn
from omegaconf import DictConfig, OmegaConf

from leyden.config.app import HOME
from leyden.errors import UserError
from leyden.signals import Stop, stop, told_to_stop
from leyden.sweeps.launcher import Ended, Jobs, JobsElsewhere, returned

ASK_SECONDS = 1.0  # between two looks at whether the sweep is told to stop
SAVE_SECONDS = 60.0  # at most, for jobs that are told to stop


class RayLauncher(JobsElsewhere):
    """The keys are those of hydra-ray-launcher, which is not needed: `ray.init` goes to ray.init, `ray.remote` is what
    each job takes.

    A job whose worker dies is started again by Ray, three times, and goes on in its folder.

    Raises UserError where no machine of the cluster has what one job takes. (One that grows by itself must have grown
    such a machine before.)
    """

    def __init__(self, ray: DictConfig) -> None:
        self.settings: dict[str, dict[str, Any]] = OmegaConf.to_container(ray, resolve=True)  # type: ignore[assignment]

    def run(
        self, jobs: Iterator[Sequence[str]], begun: Callable[[int], None], ended: Callable[[int, JobReturn], None]
    ) -> None:
        os.environ.setdefault("RAY_DISABLE_FAILURE_SIGNAL_HANDLER", "1")  # it would dump its stack, and abort
        import ray

        told: list[int] = []  # Ray makes its own of what a handler raises within it, or leaves processes behind
        running: dict[Any, int] = {}
        # In the main thread, Ray would put its own handler in the place of ours. Its processes end with the thread.
        with told_to_stop(told.append), ThreadPoolExecutor(1) as keeper:
            try:
                task = keeper.submit(self._task).result()
                common = ray.put(self.jobs)
                for index, words in enumerate(() if told else jobs):
                    begun(index)
                    running[task.remote(common, list(words))] = index
                while running and not told:
                    for over in ray.wait(list(running), timeout=ASK_SECONDS)[0]:
                        ended(running.pop(over), returned(_outcome(over)))
                if told:
                    raise Stop(told[0])
            finally:
                for one in running:
                    ray.cancel(one)  # as Ctrl-C: it saves
                if running:
                    ray.wait(list(running), num_returns=len(running), timeout=SAVE_SECONDS)
                ray.shutdown()

    def _task(self) -> Any:
        """What runs one job, on a cluster that can."""
        import ray

        ours = {name: os.environ[name] for name in ("PYTHONPATH", HOME) if name in os.environ}
        environment = self.settings["init"].pop("runtime_env", {})
        environment["env_vars"] = ours | environment.get("env_vars", {})
        try:
            task = ray.remote(**self.settings["remote"])(_run)
            ray.init(**self.settings["init"], runtime_env=environment)
        except (TypeError, ValueError) as error:
            raise UserError(f"hydra.launcher.ray: {error}") from error
        takes = needed(self.settings["remote"])
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        machines = [{name: node["Resources"].get(name, 0) for name in takes} for node in nodes if node["Alive"]]
        if not any(all(machine[name] >= amount for name, amount in takes.items()) for machine in machines):
            there = "; ".join(dict.fromkeys(map(_shown, machines)))
            raise UserError(
                f"hydra.launcher.ray.remote: a job takes {_shown(takes)}, and no machine of the cluster has as much "
                f"(there is: {there})"
            )
        return task


def needed(remote: Mapping[str, Any]) -> dict[str, float]:
    """What a task takes of a machine, as Ray names it there."""
    named = {"CPU": remote.get("num_cpus", 1), "GPU": remote.get("num_gpus"), "memory": remote.get("memory")}
    return {name: amount for name, amount in (named | (remote.get("resources") or {})).items() if amount}


def _shown(resources: Mapping[str, float]) -> str:
    return ", ".join(f"{amount:g} {name}" for name, amount in resources.items())


def _run(jobs: Jobs, words: Sequence[str]) -> Ended:
    """Ray cancels a task by SIGINT, and calls a worker that then leaves crashed: who has saved returns."""
    try:
        with told_to_stop(stop):
            jobs.prepare()
            return jobs.run(words)
    except Stop as told:
        if told.number != signal.SIGINT:
            os._exit(128 + told.number)  # the machine is taken: Ray starts the job again
        return True, "told to stop"


def _outcome(task: Any) -> Ended:
    import ray

    try:
        result: Ended = ray.get(task)
    except ray.exceptions.RayError as error:
        return True, str(error).strip().splitlines()[0]
    return result
