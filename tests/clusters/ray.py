"""A Ray cluster on this machine: a head that runs no cell, and two workers with addresses of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clusters.daemons import NODES, Daemons, descendants, wait_for

NETWORK = "10.77.0"
"""Of `isolated`; the head is its first address."""
HEAD = f"{NETWORK}.1:6379"
CLIENT = f"ray://{NETWORK}.1:10001"
PATIENT = {
    "RAY_raylet_start_wait_time_s": "200",
    "RAY_agent_register_timeout_ms": "200000",
    "RAY_worker_niceness": "0",
}
"""Ray's own limits are too short for a machine that is busy, where its workers, at niceness 15, get no time."""
AGENTS = ("dashboard-agent-grpc", "dashboard-agent-listen", "metrics-export", "runtime-env-agent")
"""Whose ports Ray chooses, and then waits for, fifteen seconds at most."""
SMALL = ("--num-gpus=1", "--object-store-memory=80000000", "--disable-usage-stats", "--block")


class RayCluster(Daemons):
    """See this module."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, PATIENT)

    def begin(self) -> None:
        """The head, then the workers."""
        ports = ("--port=6379", "--ray-client-server-port=10001", "--include-dashboard=false")
        place = (f"--node-ip-address={NETWORK}.1", f"--temp-dir={self.folder}/ray", "--num-cpus=0", "--num-gpus=0")
        self.start("head", "ray", "start", "--head", *ports, *place, *_agents(0), *SMALL[1:])
        self._wait_for("head")
        for number in range(1, NODES + 1):
            self.start_node(number)

    def start_node(self, number: int, blind: Path | None = None) -> None:
        """A worker.

        Args:
            blind: a folder that it does not see, as where no disk is shared.
        """
        place = (f"--address={HEAD}", f"--node-ip-address={NETWORK}.{number + 1}", "--num-cpus=1")
        command = ["ray", "start", *place, *_agents(number), *SMALL]
        if blind is not None:
            command = [
                "unshare",
                "--mount",
                "bash",
                "-c",
                f'mount -t tmpfs none "{blind}" && exec "$@"',
                "bash",
                *command,
            ]
        self.start(f"node{number}", *command)
        self._wait_for(f"node{number}")

    def wait_for_nodes(self) -> None:
        """Until the head counts all workers: one that says that it has started is not known to it yet."""
        import ray

        ray.init(address=HEAD, log_to_driver=False)
        wait_for("all nodes", lambda: sum(node["Alive"] for node in ray.nodes()) == 1 + NODES, 60)
        ray.shutdown()

    def kill_node_of(self, pid: int) -> int:
        """End the worker that runs a process; returns its number."""
        for number in range(1, NODES + 1):
            name = f"node{number}"
            if name in self.processes and pid in descendants(self.processes[name].pid):
                self.kill(name)
                return number
        raise AssertionError(f"{pid} runs on no worker")

    def _wait_for(self, name: str) -> None:
        wait_for(name, lambda: "will now block" in (self.folder / f"{name}.out").read_text(), 240)


def _agents(number: int) -> list[str]:
    return [f"--{agent}-port={20_000 + 10 * number + place}" for place, agent in enumerate(AGENTS)]


@contextmanager
def ray_cluster(folder: Path) -> Iterator[RayCluster]:
    """The cluster, for as long as a block takes."""
    cluster = RayCluster(folder)
    try:
        cluster.begin()
        yield cluster
    finally:
        cluster.stop()
