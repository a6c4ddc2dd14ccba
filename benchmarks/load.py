"""Load generator, in a process of its own; only to this machine, bounded in time and count.

    python -m benchmarks.load '{"port": 8000, "path": "/segment", "body": "cat.jpg", "clients": 8, "seconds": 10}'

Prints a ``Measurement`` as JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.arrivals import arrival_times
from benchmarks.connection import Connection, ReplyError, post
from benchmarks.measurement import Measurement

_TIMEOUT_S = 60.0
_MAX_CONNECTIONS = 256


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent.

    Attributes:
        port: of a server on this machine.
        path: that the body is posted to.
        body: file that is posted.
        seconds: after which nothing is sent any more.
        clients: that each wait for their answer before they send again (closed loop).
        rate: requests a second that arrive whether or not earlier ones are answered (open loop); 0 for a closed loop.
        max_requests: the most that are sent.
    """

    port: int
    path: str
    body: str
    seconds: float
    clients: int = 1
    rate: float = 0.0
    max_requests: int = 100_000


async def run(load: Load) -> Measurement:
    """Send it all, and wait for the answers."""
    request = post(load.path, Path(load.body).read_bytes())
    return await (_Open(load, request) if load.rate else _Closed(load, request)).run()


class _Phase:
    def __init__(self, load: Load, request: bytes) -> None:
        self.load = load
        self._request = request
        self._latencies_ms: list[float] = []
        self._failures = 0
        self.sent_late_ms = 0.0

    async def run(self) -> Measurement:
        self.start = time.perf_counter()
        await asyncio.gather(*self.senders())
        elapsed = time.perf_counter() - self.start
        return Measurement(tuple(self._latencies_ms), elapsed, self._failures, self.sent_late_ms)

    def senders(self) -> list[Coroutine[Any, Any, None]]:
        raise NotImplementedError

    async def exchange(self, connection: Connection, since: float) -> None:
        """One request; its latency counts from ``since``."""
        try:
            reply = await asyncio.wait_for(connection.exchange(self._request), _TIMEOUT_S)
        except (OSError, EOFError, ReplyError):  # a time-out is an OSError
            self._failures += 1
            await asyncio.sleep(0.01)  # a server that is gone is not hammered
            return
        if reply.status == 200:
            self._latencies_ms.append((time.perf_counter() - since) * 1000)
        else:
            self._failures += 1


class _Closed(_Phase):
    def senders(self) -> list[Coroutine[Any, Any, None]]:
        self._left = self.load.max_requests
        return [self._client() for _ in range(self.load.clients)]

    async def _client(self) -> None:
        async with Connection(self.load.port) as connection:
            while self._left > 0 and time.perf_counter() - self.start < self.load.seconds:
                self._left -= 1
                await self.exchange(connection, time.perf_counter())


class _Open(_Phase):
    """Latencies count from when a request was to be sent: a server's pause counts for all who come meanwhile."""

    def senders(self) -> list[Coroutine[Any, Any, None]]:
        self._free = [Connection(self.load.port) for _ in range(_MAX_CONNECTIONS)]
        self._room = asyncio.Semaphore(_MAX_CONNECTIONS)
        times = arrival_times(self.load.rate, self.load.seconds, self.load.max_requests)
        return [self._arrival(at) for at in times]

    async def run(self) -> Measurement:
        measurement = await super().run()
        for connection in self._free:
            connection.close()
        return measurement

    async def _arrival(self, at: float) -> None:
        intended = self.start + at
        await asyncio.sleep(intended - time.perf_counter())
        self.sent_late_ms = max(self.sent_late_ms, (time.perf_counter() - intended) * 1000)
        async with self._room:
            connection = self._free.pop()
            try:
                await self.exchange(connection, intended)
            finally:
                self._free.append(connection)


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(run(Load(**json.loads(sys.argv[1])))))))
