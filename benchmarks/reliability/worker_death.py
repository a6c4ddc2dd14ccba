"""SIGKILL of one of two workers under load: only its own requests fail, and it is replaced.

    python -m benchmarks.reliability.worker_death [--repeats 50]

Eight clients send requests repeatedly. The worker is first stopped, so that its connections can be listed reliably, and
then killed; its successor must serve in time. The supervisor replaces a worker at once if it has served for ten
seconds, otherwise after a pause. Each worker is given those ten seconds.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.connection import post
from benchmarks.findings import Finding, at_most, none_of
from benchmarks.photograph import photograph
from benchmarks.process_tree import connected_ports, state, workers
from benchmarks.reliability.check import conclude, parser
from benchmarks.reliability.request_log import LoggedRequest, LoggingClients
from benchmarks.service import OURS, RunningService, started
from benchmarks.traffic import NO_ANSWER
from benchmarks.waiting import until

CLIENTS = 8
BACK_S = 30.0
"""Seconds within which a successor must serve."""

_STEADY_S = 11.0
_SETTLING_S = 1.0
"""Seconds until a client has noticed that its connection broke."""


@dataclass(frozen=True, slots=True)
class Death:
    """Death of one worker.

    Attributes:
        killed_at: ``time.perf_counter`` when it was killed.
        back_s: seconds until its successor had accepted a connection.
        ports: clients' ports of the connections that it had.
    """

    killed_at: float
    back_s: float
    ports: frozenset[int]


@dataclass(frozen=True, slots=True)
class Deaths:
    """Deaths of all killed workers.

    Attributes:
        deaths: deaths in order of time.
        events: all requests.
        exit_code: exit code of the service on SIGTERM after all deaths.
    """

    deaths: list[Death]
    events: list[LoggedRequest]
    exit_code: int

    def failed(self) -> list[LoggedRequest]:
        return [event for event in self.events if event.status != 200]

    def elsewhere(self) -> list[LoggedRequest]:
        """Failed requests that no worker's death explains."""
        return [event for event in self.failed() if not any(_explains(death, event) for death in self.deaths)]


def kill_workers(repeats: int, steady_s: float = _STEADY_S) -> Deaths:
    """Start a service with two workers, and kill one of them ``repeats`` times.

    Args:
        repeats: number of workers to kill.
        steady_s: seconds that all workers serve before each kill.
    """
    image = photograph("cat")
    with started(OURS.with_environment(FCN_WORKERS="2"), sys.executable, image) as service:
        deaths, events = asyncio.run(_kill_workers(service, [post(OURS.path, image)] * CLIENTS, repeats, steady_s))
        service.process.send_signal(signal.SIGTERM)
        return Deaths(deaths, events, service.process.wait(60))


async def _kill_workers(
    service: RunningService, requests: Sequence[bytes], repeats: int, steady_s: float
) -> tuple[list[Death], list[LoggedRequest]]:
    supervisor = service.process.pid
    deaths = []
    async with LoggingClients(service.port, requests) as clients:
        await until(lambda: len(_serving(supervisor)) == 2, 2 * BACK_S)
        for _ in range(repeats):
            await asyncio.sleep(steady_s)
            deaths.append(await _kill(supervisor))
            await asyncio.sleep(_SETTLING_S)
    return deaths, clients.events


async def _kill(supervisor: int) -> Death:
    victim, survivor = workers(supervisor)
    os.kill(victim, signal.SIGSTOP)
    await until(lambda: state(victim) == "T", 2 * BACK_S)
    ports = connected_ports(victim)
    killed_at = time.perf_counter()
    os.kill(victim, signal.SIGKILL)
    await until(lambda: bool(_serving(supervisor) - {victim, survivor}), 2 * BACK_S)
    return Death(killed_at, time.perf_counter() - killed_at, frozenset(ports))


def _serving(supervisor: int) -> set[int]:
    """Ids of workers that have a connection."""
    return {worker for worker in workers(supervisor) if connected_ports(worker)}


def _explains(death: Death, event: LoggedRequest) -> bool:
    is_its = event.own_port in death.ports and event.status == NO_ANSWER
    return is_its and death.killed_at <= event.ended_at <= death.killed_at + _SETTLING_S


def findings(deaths: Deaths) -> list[Finding]:
    """Check the outcome of all deaths."""
    failed, elsewhere = deaths.failed(), deaths.elsewhere()
    longest_s = max(death.back_s for death in deaths.deaths)
    return [
        Finding("workers killed, clients, requests", f"{len(deaths.deaths)}, {CLIENTS}, {len(deaths.events)}"),
        Finding("connections that they had", str(sum(len(death.ports) for death in deaths.deaths))),
        Finding("requests on them, which failed by a reset", str(len(failed) - len(elsewhere))),
        none_of("other requests that failed", len(elsewhere), [event.status for event in elsewhere]),
        at_most("longest time until a successor served", longest_s, BACK_S, "{:.1f} s"),
        Finding("exit code, on SIGTERM after all that", str(deaths.exit_code), "0", deaths.exit_code == 0),
    ]


def main() -> int:
    arguments = parser("worker_death", __doc__)
    arguments.add_argument("--repeats", type=int, default=50, help="number of workers to kill (50)")
    return conclude(findings(kill_workers(arguments.parse_args().repeats)))


if __name__ == "__main__":
    sys.exit(main())
