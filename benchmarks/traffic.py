"""The load generator: sends mixed requests to this machine and records the outcome of each.

It runs in a process of its own, and is bounded in time and number of requests.

    python -m benchmarks.traffic '{"port": 8000, "seconds": 10, "clients": 8, "kinds": [
        {"name": "photograph", "path": "/segment", "body": "cat.jpg"}]}'

It prints a line when it has sent all requests, and then an ``Observation`` as JSON.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.arrivals import arrival_times
from benchmarks.child import Child, tell_ready, tell_result
from benchmarks.connection import Connection, Reply, ReplyError, post
from benchmarks.measurement import Measurement, percentile

_IDLE_S = 3.0
"""Idle seconds after which a connection is not reused: the server may be about to close it."""

_PAUSE_S = 0.1
"""Seconds that a client of a closed loop waits after a refusal."""

NO_ANSWER = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """Requests of one kind.

    Attributes:
        name: display name.
        path: URL path that the body is posted to.
        body: name of the file to post.
        weight: frequency relative to the other kinds.
    """

    name: str
    path: str
    body: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """A load to generate.

    Attributes:
        port: port of a server on this machine.
        kinds: kinds of requests; each request's kind is drawn at random with a fixed seed.
        seconds: seconds after which nothing more is sent.
        clients: clients that each wait for their response before they send again (closed loop).
        rate: requests per second that do not wait for earlier responses (open loop); 0 for a closed loop.
        fresh: share of requests whose connection is closed afterwards.
        timeout_s: seconds after which a client stops waiting for a response.
        max_requests: most requests to send.
    """

    port: int
    kinds: tuple[Kind, ...]
    seconds: float
    clients: int = 8
    rate: float = 0.0
    fresh: float = 0.0
    timeout_s: float = 120.0
    max_requests: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its outcome.

    Attributes:
        kind: name of its kind.
        status: status of the response; ``NO_ANSWER`` if there was none.
        late_ms: milliseconds by which the generator sent it late.
        head_ms: milliseconds from the scheduled time until the response's headers arrived.
        whole_ms: milliseconds from the scheduled time until the response was complete, or the client gave up.
    """

    kind: str
    status: int
    late_ms: float
    head_ms: float
    whole_ms: float


@dataclass(frozen=True, slots=True)
class Observation:
    """Outcome of a load.

    Attributes:
        exchanges: all requests.
        seconds: seconds of sending.
        processor_s: CPU seconds of the generator itself while it sent.
        elapsed_s: seconds from the first request to the last response.
    """

    exchanges: tuple[Exchange, ...]
    seconds: float
    processor_s: float
    elapsed_s: float

    def of(self, kind: str) -> "Observation":
        """The requests of one kind alone."""
        chosen = tuple(exchange for exchange in self.exchanges if exchange.kind == kind)
        return Observation(chosen, self.seconds, self.processor_s, self.elapsed_s)

    def accepted(self) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.status == 200]

    def refused(self) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.status in (429, 503, 504)]

    def others(self) -> list[Exchange]:
        """Exchanges that were neither accepted nor refused."""
        return [exchange for exchange in self.exchanges if exchange.status not in (200, 429, 503, 504)]

    def statuses(self) -> str:
        """Number of responses by status, in words."""
        counts = Counter(exchange.status for exchange in self.exchanges)
        return ", ".join(f"{status or 'none'}: {count}" for status, count in sorted(counts.items()))

    @property
    def measurement(self) -> Measurement:
        """Latencies of accepted requests, from their scheduled time; all others count as failures."""
        latencies_ms = tuple(exchange.whole_ms for exchange in self.accepted())
        sent_late_ms = max((exchange.late_ms for exchange in self.exchanges), default=0.0)
        return Measurement(latencies_ms, self.elapsed_s, len(self.exchanges) - len(latencies_ms), sent_late_ms)

    def late_ms(self, percent: float) -> float:
        return percentile([exchange.late_ms for exchange in self.exchanges], percent)

    @property
    def throughput(self) -> float:
        """Accepted requests per second."""
        return len(self.accepted()) / self.elapsed_s

    @property
    def processors(self) -> float:
        """Mean number of CPU cores that the generator kept busy."""
        return self.processor_s / self.seconds


class Generator(Child):
    """The generator's process while entered; ready when it has sent everything, even if responses are outstanding."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__("benchmarks.traffic", asdict(traffic))

    def observation(self) -> Observation:
        """Wait for all responses and return the outcome."""
        fields = self.result()
        exchanges = tuple(Exchange(*exchange) for exchange in fields.pop("exchanges"))
        return Observation(exchanges, **fields)


def observe(traffic: Traffic) -> Observation:
    """Generate a load in a process of its own, and wait for the responses."""
    with Generator(traffic) as generator:
        return generator.observation()


def measure(traffic: Traffic) -> Measurement:
    """Like ``observe``, but return only latencies and throughput."""
    return observe(traffic).measurement


async def run(traffic: Traffic, on_sent: Callable[[], None] = lambda: None) -> Observation:
    """Generate a load in this process, and wait for the responses.

    Args:
        traffic: load to generate.
        on_sent: called once everything has been sent.
    """
    return await (_OpenLoop if traffic.rate else _ClosedLoop)(traffic).run(on_sent)


class _Loop:
    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self._requests = {kind.name: post(kind.path, Path(kind.body).read_bytes()) for kind in traffic.kinds}
        self._chance = random.Random(0)
        self._idle: list[tuple[float, Connection]] = []
        self._exchanges: list[Exchange] = []

    async def run(self, on_sent: Callable[[], None]) -> Observation:
        self.start, processor_start = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as tasks:
            await self.send(tasks)
            seconds = time.perf_counter() - self.start
            processor_s = time.process_time() - processor_start
            on_sent()
        elapsed_s = time.perf_counter() - self.start
        for _, connection in self._idle:
            connection.close()
        return Observation(tuple(self._exchanges), seconds, processor_s, elapsed_s)

    async def send(self, tasks: asyncio.TaskGroup) -> None:
        """Send all requests; tasks that still wait for responses may go on in ``tasks``."""
        raise NotImplementedError

    async def exchange(self, intended: float) -> None:
        """Send one request that was scheduled for ``intended``, and record its outcome."""
        (kind,) = self._chance.choices(self.traffic.kinds, [kind.weight for kind in self.traffic.kinds])
        late_s = time.perf_counter() - intended
        connection = self._connection()
        reply = await self._reply(connection, kind)
        now = time.perf_counter()
        if self._chance.random() < self.traffic.fresh:
            connection.close()
        self._idle.append((now, connection))
        status, head_at = (NO_ANSWER, now) if reply is None else (reply.status, reply.head_at)
        times_ms = ((at - intended) * 1000 for at in (intended + late_s, head_at, now))
        self._exchanges.append(Exchange(kind.name, status, *times_ms))

    async def _reply(self, connection: Connection, kind: Kind) -> Reply | None:
        try:
            async with asyncio.timeout(self.traffic.timeout_s):
                return await connection.exchange(self._requests[kind.name])
        except (OSError, EOFError, ReplyError):  # TimeoutError is an OSError
            return None

    def _connection(self) -> Connection:
        while self._idle:
            since, connection = self._idle.pop()
            if time.perf_counter() - since < _IDLE_S:
                return connection
            connection.close()
        return Connection(self.traffic.port)


class _ClosedLoop(_Loop):
    async def send(self, tasks: asyncio.TaskGroup) -> None:
        self._left = self.traffic.max_requests
        ends = self.start + self.traffic.seconds
        clients = [tasks.create_task(self._client(ends)) for _ in range(self.traffic.clients)]
        await asyncio.wait(clients, timeout=self.traffic.seconds)

    async def _client(self, ends: float) -> None:
        while self._left > 0 and (now := time.perf_counter()) < ends:
            self._left -= 1
            await self.exchange(now)
            if self._exchanges[-1].status in (NO_ANSWER, 429, 503, 504):
                await asyncio.sleep(_PAUSE_S)


class _OpenLoop(_Loop):
    """Latencies count from the scheduled time, so a pause of the server counts for every request scheduled in it."""

    async def send(self, tasks: asyncio.TaskGroup) -> None:
        for at in arrival_times(self.traffic.rate, self.traffic.seconds, self.traffic.max_requests):
            intended = self.start + at
            if (wait_s := intended - time.perf_counter()) > 0:
                await asyncio.sleep(wait_s)
            tasks.create_task(self.exchange(intended))


def _traffic(fields: dict[str, Any]) -> Traffic:
    return Traffic(**fields | {"kinds": tuple(Kind(**kind) for kind in fields["kinds"])})


def _as_lists(observation: Observation) -> dict[str, object]:
    exchanges: Sequence[Exchange] = observation.exchanges
    rows = [[each.kind, each.status, each.late_ms, each.head_ms, each.whole_ms] for each in exchanges]
    return {**asdict(observation), "exchanges": rows}


if __name__ == "__main__":
    observed = uvloop.run(run(_traffic(json.loads(sys.argv[1])), tell_ready))
    tell_result(_as_lists(observed))
