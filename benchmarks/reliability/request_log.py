"""A log of requests: clients that remember exactly what became of each."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.connection import Connection, Reply, ReplyError
from benchmarks.traffic import NO_ANSWER

_TIMEOUT_S = 120.0
_PAUSE_S = 0.02
"""Seconds of pause after a request that was not accepted."""


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request; times are ``time.perf_counter``'s.

    Attributes:
        request: number of the client that sent it.
        began_at: before anything of it was sent.
        sent_at: when it had been handed over to the system whole; infinite if it never was.
        ended_at: when the answer was whole, or was seen not to come.
        status: status of the answer; ``NO_ANSWER`` if there was none, or half of it.
        digest: digest of the weights that made it, as it says.
        body: body of the answer.
        own_port: port of the client's end of the connection.
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
    """Clients that each send again when they have their answer, every other one on a new connection, while entered.

    Args:
        port: port of a server on this machine.
        requests: one for each client.

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
        """Waits for the answers that are due."""
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
        except (OSError, EOFError, ReplyError):  # a time-out is an OSError
            reply = Reply(NO_ANSWER, b"")
        ended_at = time.perf_counter()
        digest = reply.fields.get("x-checkpoint-sha256", "")
        times = (began_at, connection.sent_at, ended_at)
        self.events.append(LoggedRequest(number, *times, reply.status, digest, reply.body, connection.own_port))
