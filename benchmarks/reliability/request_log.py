"""Clients that log the exact times and outcome of each request."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.connection import Connection, Reply, ReplyError
from benchmarks.traffic import NO_ANSWER

_TIMEOUT_S = 120.0
_PAUSE_S = 0.02
"""Seconds that a client pauses after a request that was not accepted."""


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request; times are from ``time.perf_counter``.

    Attributes:
        request: number of the client that sent it.
        began_at: time just before sending.
        sent_at: time when the operating system had accepted the whole request; infinite if it never did.
        ended_at: time when the response was complete, or failed.
        status: status of the response; ``NO_ANSWER`` if there was none or it was incomplete.
        digest: digest of the weights, from the response's header; empty if it has none.
        body: body of the response.
        own_port: client's local port of the connection.
    """

    request: int
    began_at: float
    sent_at: float
    ended_at: float
    status: int
    digest: str
    body: bytes
    own_port: int


class LoggingClients:
    """Clients that send requests while entered, each after its last response; every other one reconnects each time.

    Args:
        port: port of a server on this machine.
        requests: the request of each client.

    Attributes:
        events: all requests, ordered by their ends.
    """

    def __init__(self, port: int, requests: Sequence[bytes]) -> None:
        self.events: list[LoggedRequest] = []
        self._port = port
        self._requests = requests
        self._is_ending = False

    async def __aenter__(self) -> "LoggingClients":
        self._clients = [asyncio.create_task(self._client(number)) for number in range(len(self._requests))]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Wait for the outstanding responses."""
        self._is_ending = True
        await asyncio.gather(*self._clients)

    async def _client(self, number: int) -> None:
        async with Connection(self._port) as connection:
            while not self._is_ending:
                await self._exchange(connection, number)
                if self.events[-1].status != 200:
                    await asyncio.sleep(_PAUSE_S)
                if number % 2:
                    connection.close()

    async def _exchange(self, connection: Connection, number: int) -> None:
        began_at = time.perf_counter()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                reply = await connection.exchange(self._requests[number])
        except (OSError, EOFError, ReplyError):  # TimeoutError is an OSError
            reply = Reply(NO_ANSWER, b"")
        ended_at = time.perf_counter()
        digest = reply.fields.get("x-checkpoint-sha256", "")
        times = (began_at, connection.sent_at, ended_at)
        self.events.append(LoggedRequest(number, *times, reply.status, digest, reply.body, connection.own_port))
