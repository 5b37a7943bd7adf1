"""hydra/launcher=ray_gpus, ray_cluster: cells in Ray actors, each with GPUs and CPU threads of its own.

An actor takes one cell after the other, so that only the first pays for starting Python and importing torch.
"""

import logging
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from benchmarks.common.errors import UserError
from benchmarks.sweep.job import Job
from benchmarks.sweep.launchers.base import KILLED, CellLauncher, Ends, Lost

if TYPE_CHECKING:
    import ray

NODE_FAILURE = Lost("node failure", its_own_fault=False)
SECONDS_TO_NOTICE = 30
"""What Ray takes to find that a node does not answer."""
SECONDS_BETWEEN = 10
"""Between two looks at what the cluster has, while nothing ends."""
EXTRA = 'Ray is not installed: pip install -c constraints.txt -e ".[cpu,ray]"'


class RayActors(CellLauncher):
    """Settings: `ray.init`, the arguments of `ray.init`; `ray.remote`, what a cell reserves."""

    def ends(self, jobs: Sequence[Job]) -> Ends:
        try:
            import ray
        except ImportError:
            raise UserError(EXTRA) from None
        options = OmegaConf.to_container(OmegaConf.create(self.settings["ray"]), resolve=True)
        assert isinstance(options, dict)
        reserved = options.get("remote") or {}
        with _connected(options.get("init") or {}):
            actor = ray.remote(_Actor).options(max_restarts=0, **reserved)
            yield from _ends(jobs, lambda: actor.remote(self.task), lambda: _places(ray.nodes(), reserved))


class _Actor:
    """What runs in a process of Ray's."""

    def __init__(self, task: Callable[[Job], None]) -> None:
        from benchmarks.common.logs import configure_logging

        self.task = task
        configure_logging(silent=True)

    def run(self, job: Job) -> None:
        self.task(job)
        if "torch" in sys.modules:
            import torch

            torch.cuda.empty_cache()  # cells may share a GPU


def _ends(jobs: Sequence[Job], new_actor: Callable[[], Any], places: Callable[[], int]) -> Ends:
    """Jobs as they end.

    Args:
        new_actor: asks Ray for one; it starts when the cluster has room for it.
        places: how many the cluster has room for, as it stands.
    """
    import ray

    nodes = _alive()
    waiting, idle = deque(jobs), [new_actor() for _ in range(min(len(jobs), places()))]
    running: dict[ray.ObjectRef[None], tuple[Any, Job]] = {}
    try:
        while waiting or running:
            while waiting and idle:
                worker, job = idle.pop(), waiting.popleft()
                running[worker.run.remote(job)] = worker, job
            while idle:  # others may wait for its room
                ray.kill(idle.pop())
            done, _ = ray.wait(list(running), num_returns=1, timeout=SECONDS_BETWEEN)
            for reference in done:
                worker, job = running.pop(reference)
                lost = _loss(reference, nodes)
                nodes = _alive() if lost else nodes
                idle.append(new_actor() if lost and waiting else worker)
                yield job, lost
            if not done:
                places()  # raises where the nodes that had room are gone: the rest would wait for ever
    finally:
        for worker in [*idle, *(worker for worker, _ in running.values())]:
            ray.kill(worker)


def _loss(reference: "ray.ObjectRef[None]", nodes: int) -> Lost | None:
    """How a job was lost.

    Args:
        nodes: how many there were.
    """
    import ray
    from ray.exceptions import NodeDiedError, OutOfMemoryError, RayActorError, RayTaskError

    try:
        ray.get(reference)
    except RayTaskError as error:  # raised by the job itself
        return Lost(str(error.cause))
    except OutOfMemoryError:
        return Lost("out of memory: Ray ended its process")
    except NodeDiedError:
        return NODE_FAILURE
    except RayActorError as error:
        found = _death_of_actor(str(error))
        return NODE_FAILURE if found.its_own_fault and _lacks_a_node(nodes) else found
    return None


def _lacks_a_node(nodes: int) -> bool:
    """Ray hears of a process's death at once, and finds out that its node is gone some seconds later."""
    deadline = time.monotonic() + SECONDS_TO_NOTICE
    while time.monotonic() < deadline:
        if _alive() < nodes:
            return True
        time.sleep(1)
    return False


def _alive() -> int:
    import ray

    return sum(node["Alive"] for node in ray.nodes())


def _death_of_actor(said: str) -> Lost:
    """Ray has one error for all of these, and tells them apart in words alone."""
    lower = said.lower()
    if (
        "node" in lower
        and ("died" in lower or "dead" in lower or "preempted" in lower)
        and "worker process" not in lower
    ):
        return NODE_FAILURE
    if "memory pressure" in lower:
        return Lost("out of memory: Ray ended its process")
    return Lost(KILLED)


@contextmanager
def _connected(settings: Mapping[str, Any]) -> Iterator[None]:
    """Ray, started here or joined.

    Raises:
        UserError: there is no cluster at the address.
    """
    import ray

    if not ray.is_initialized():
        _must_answer(str(settings.get("address") or ""))
        try:
            ray.init(logging_level=logging.ERROR, **settings)
        except Exception as error:  # Ray raises bare ones, such as for a node that was too slow to start
            address = settings.get("address")
            raise UserError(f"Ray does not start with hydra.launcher.ray.init.address={address}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _must_answer(address: str) -> None:
    """Where nobody listens, Ray tries on for minutes.

    Raises:
        UserError: nobody does.
    """
    host, colon, port = address.rpartition("://")[2].partition("/")[0].rpartition(":")
    if not colon or not port.isdigit():
        return  # auto, local
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_BETWEEN).close()
    except OSError as error:
        raise UserError(f"hydra.launcher.ray.init.address={address}: no Ray cluster there ({error}).") from error


def _places(nodes: Sequence[Mapping[str, Any]], reserved: Mapping[str, Any]) -> int:
    """How many cells fit on a cluster at once.

    Raises:
        UserError: not one.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    needs = {"CPU": reserved.get("num_cpus") or 0, "GPU": reserved.get("num_gpus") or 0}
    needs = {name: count for name, count in needs.items() if count}
    places = sum(int(min((has.get(name, 0) / count for name, count in needs.items()), default=1)) for has in alive)
    if not places:
        most = ", ".join(f"{max((has.get(name, 0) for has in alive), default=0):g} {name}s" for name in needs)
        raise UserError(
            f"A cell reserves hydra.launcher.ray.remote.num_gpus={needs.get('GPU', 0)} and num_cpus={needs.get('CPU', 0)}, and no "
            f"node has as much (at most {most})."
        )
    return places
