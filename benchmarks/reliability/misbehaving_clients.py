"""Misbehaving clients of a server on this machine, in a process of their own, bounded in time and number.

    python -m benchmarks.reliability.misbehaving_clients '{"port": 8000, "behaviour": "slow", "clients": 200,
        "seconds": 20, "path": "/segment", "body": "cat.jpg"}'

Prints a line when all clients have arrived, and at the end how often the server closed a connection, as JSON.
"""

import asyncio
import json
import resource
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import uvloop

from benchmarks.child import Child, tell_ready, tell_result
from benchmarks.connection import Connection, post

_RECEIVE_BYTES = 4096
_BYTE_PERIOD_S = 1.0
_WAITING_S = (0.02, 0.05, 0.08, 0.11, 0.14)
"""Seconds after which vanishing clients disconnect while they wait for a photograph's mask."""

_ARRIVAL_S = 5.0
"""Seconds over which idle clients arrive, so that the server does not close all connections at the same moment."""


class Behaviour(StrEnum):
    """How clients behave.

    ``SLOW``: send a byte per second. ``IDLE``: send nothing, every other client after a first request. ``VANISHING``:
    connect once, and disconnect in the middle of the upload or while waiting. ``READING``: connect once, and disconnect
    when the response begins. ``STAYING``: connect once, and read the whole response. ``UNREAD``: never read the
    response.
    """

    SLOW = "slow"
    IDLE = "idle"
    VANISHING = "vanishing"
    READING = "reading"
    STAYING = "staying"
    UNREAD = "unread"


ONCE = (Behaviour.VANISHING, Behaviour.READING, Behaviour.STAYING)
"""Behaviours whose clients connect once each, spread over the time."""


@dataclass(frozen=True, slots=True)
class Group:
    """Clients of one behaviour.

    Attributes:
        port: port of a server on this machine.
        behaviour: value of the ``Behaviour`` of all clients.
        clients: number of concurrent clients; for behaviours that connect once, their total.
        seconds: seconds for which clients reconnect after the server has closed their connection.
        path: URL path that bodies are posted to.
        body: name of the file to post.
    """

    port: int
    behaviour: str
    clients: int
    seconds: float
    path: str
    body: str


class MisbehavingClients(Child):
    """The clients' process while entered; ready when all clients have arrived."""

    def __init__(self, group: Group) -> None:
        super().__init__("benchmarks.reliability.misbehaving_clients", asdict(group))


async def run(group: Group) -> int:
    """Run the clients, and return how many connections the server closed."""
    return await _Run(group).run()


class _Run:
    def __init__(self, group: Group) -> None:
        self._group = group
        self._request = post(group.path, Path(group.body).read_bytes())
        self._ended = 0
        self._arrived = 0

    async def run(self) -> int:
        ends = time.monotonic() + self._group.seconds
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._group.clients):
                tasks.create_task(self._client(number, ends))
        return self._ended

    async def _client(self, number: int, ends: float) -> None:
        place = (number + 0.5) / self._group.clients
        if self._group.behaviour in ONCE:
            self._arrive()
            await asyncio.sleep(place * self._group.seconds)
            await (self._stay() if self._group.behaviour == Behaviour.STAYING else self._visit(number))
            return
        if self._group.behaviour == Behaviour.IDLE:
            await asyncio.sleep(place * min(_ARRIVAL_S, self._group.seconds / 2))
        is_first = True
        while (left_s := ends - time.monotonic()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._visit(number, is_first=is_first)
                    self._ended += 1
            is_first = False

    async def _stay(self) -> None:
        with suppress(OSError, EOFError):
            async with Connection(self._group.port) as connection:
                await connection.exchange(self._request)

    def _arrive(self) -> None:
        self._arrived += 1
        if self._arrived == self._group.clients:
            tell_ready()

    async def _visit(self, number: int, *, is_first: bool = False) -> None:
        """Hold one connection until the server or a vanishing client closes it."""
        try:
            reader, writer = await _connect(self._group.port)
        except OSError:
            await asyncio.sleep(0.1)
            return
        if is_first:
            self._arrive()
        try:
            with suppress(OSError, EOFError):
                await self._behave(number, reader, writer)
        finally:
            writer.transport.abort()

    async def _behave(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match self._group.behaviour:
            case Behaviour.SLOW:
                await self._send_slowly(reader, writer)
            case Behaviour.IDLE:
                if number % 2:
                    writer.write(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                await reader.read()
            case Behaviour.VANISHING:
                await self._vanish(number, writer)
            case Behaviour.READING:
                writer.write(self._request)
                await reader.readexactly(1)
            case Behaviour.UNREAD:
                writer.write(self._request)
                writer.transport.pause_reading()  # type: ignore[attr-defined]
                await writer.wait_closed()

    async def _send_slowly(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = self._request.index(b"\r\n\r\n") + 4
        writer.write(self._request[:end])
        for byte in self._request[end:]:
            writer.write(bytes([byte]))
            with suppress(TimeoutError):
                async with asyncio.timeout(_BYTE_PERIOD_S):
                    await reader.read()
                    break

    async def _vanish(self, number: int, writer: asyncio.StreamWriter) -> None:
        times, is_whole = divmod(number, 2)
        writer.write(self._request if is_whole else self._request[: len(self._request) // 2])
        await asyncio.sleep(_WAITING_S[times % len(_WAITING_S)])


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect with a small receive buffer, so that an unread response soon blocks the server's writes."""
    connection = socket.socket()
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    except BaseException:
        connection.close()
        raise
    return await asyncio.open_connection(sock=connection, limit=_RECEIVE_BYTES)


def _raise_descriptor_limit() -> None:
    """Raise the soft limit of open files to the hard limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    _raise_descriptor_limit()
    tell_result(uvloop.run(run(Group(**json.loads(sys.argv[1])))))
