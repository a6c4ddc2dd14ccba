"""A Ray cluster of several nodes on this machine, with the service on it.

    python -m tests.ecosystem.ray_cluster '{"nodes": 2, "replicas": 1, "arguments": {"threads": "1"}}'

The head has no CPUs, and so no replica; every other node has one. Prints a line of JSON when all nodes respond, and one
for each line ``scale N`` that it reads; ends with its input.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from benchmarks.process_tree import command_line, descendants
from tests.ecosystem.ports import free_ports

ROOT = Path(__file__).parents[2]

ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "PYTHONWARNINGS": "ignore",
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",  # for a busy machine
    "RAY_DEDUP_LOGS": "0",
}

_START_S = 180.0

_END_S = 120.0
"""Seconds within which a cluster shuts down cleanly."""


class RayCluster:
    """The cluster's process and its descendants, while entered.

    Attributes:
        ports: ports of the nodes' proxies, the head's first.

    Args:
        nodes: number of nodes beside the head.
        replicas: initial number of replicas of the network.
        arguments: arguments of the application.
    """

    def __init__(self, nodes: int, replicas: int, **arguments: str) -> None:
        self.ports = free_ports(nodes + 1)
        plan = {"ports": self.ports, "replicas": replicas, "arguments": arguments}
        self._command = [sys.executable, "-m", "tests.ecosystem.ray_cluster", json.dumps(plan)]
        self._raylets: list[int] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            self._raylets = self._told()["raylets"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        started = descendants(self._process.pid)
        try:
            self._process.communicate(timeout=_END_S)
        finally:
            for process in {*started[1:], *descendants(self._process.pid)[1:]}:
                _kill(process)
            self._process.kill()
            self._process.communicate()

    def scale(self, replicas: int) -> None:
        """Set the number of replicas of the network, and wait until they respond."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"scale {replicas}\n")
        self._process.stdin.flush()
        self._told()

    def replicas(self, deployment: str, node: int | None = None) -> list[int]:
        """Process ids of a deployment's replicas, on all nodes or on one."""
        roots = self._raylets if node is None else [self._raylets[node]]
        title = f"ray::ServeReplica:segmentation:{deployment}"
        return [process for root in roots for process in descendants(root) if _title(process).startswith(title)]

    def kill_node(self, node: int) -> None:
        """Kill all processes of a node at once."""
        for process in descendants(self._raylets[node]):
            _kill(process)

    def _told(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the cluster did not start"
        told: dict[str, Any] = json.loads(line)
        return told


def _title(process: int) -> str:
    return next(iter(command_line(process)), "")


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def main() -> None:
    plan = json.loads(sys.argv[1])
    # Ray's own output must not mix with the lines of JSON.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    with _running(plan["ports"]) as raylets:
        _deploy(plan["replicas"], plan["arguments"], gateways=len(plan["ports"]))
        print(json.dumps({"raylets": raylets}), file=answers)
        for line in sys.stdin:
            _deploy(int(line.split()[1]), plan["arguments"], gateways=len(plan["ports"]))
            print(json.dumps({}), file=answers)


if __name__ == "__main__":
    from contextlib import contextmanager

    import ray
    from ray import serve
    from ray.cluster_utils import Cluster

    from deploy.ray.application import Arguments, build

    @contextmanager
    def _running(ports: list[int]) -> Iterator[list[int]]:
        cluster = Cluster()
        nodes = [cluster.add_node(num_cpus=0, include_dashboard=False)]
        own_ports = ({"RAY_SERVE_WORKER_PROXY_HTTP_PORT": str(port)} for port in ports[1:])
        nodes += [cluster.add_node(num_cpus=1, env_vars=own_port) for own_port in own_ports]
        ray.init(address=cluster.address, log_to_driver=False)
        serve.start(proxy_location="EveryNode", http_options={"host": "127.0.0.1", "port": ports[0]})
        try:
            yield [node.all_processes["raylet"][0].process.pid for node in nodes]
        finally:
            ray.shutdown()
            end: Any = cluster.shutdown
            end()

    def _deploy(replicas: int, arguments: dict[str, str], gateways: int) -> None:
        wanted = Arguments.model_validate({**arguments, "replicas": replicas, "gateways": gateways})
        serve.run(build(wanted), name="segmentation")

    main()
