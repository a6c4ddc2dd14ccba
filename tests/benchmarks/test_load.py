import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from benchmarks.arrivals import arrival_times
from benchmarks.connection import Connection, Reply, ReplyError, post
from benchmarks.fixed_server import BODY, serve
from benchmarks.load import Load, run
from benchmarks.measurement import Measurement

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def body(tmp_path: Path) -> Path:
    path = tmp_path / "body"
    path.write_bytes(b"x" * 100_000)
    return path


def port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


def load_fixed_server(body: Path, **settings: float) -> Measurement:
    async def both() -> Measurement:
        async with await serve(0) as server:
            return await run(Load(port_of(server), "/", str(body), seconds=30, **settings))  # type: ignore[arg-type]

    return asyncio.run(both())


def exchange_with(answers: list[bytes]) -> list[Reply]:
    """What a connection makes of a server's bytes, one answer a request."""
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while answers:
            await reader.readuntil(b"\r\n\r\nhello")
            said = answers.pop(0)
            writer.write(said)
            await writer.drain()
            if b"close" in said or b"half" in said:
                break
        writer.close()

    async def both() -> list[Reply]:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server, Connection(port_of(server)) as connection:
            return [await connection.exchange(post("/", b"hello")) for _ in list(answers)]

    return asyncio.run(both())


def test_a_closed_loop_sends_as_many_requests_as_it_may(body: Path) -> None:
    measurement = load_fixed_server(body, clients=3, max_requests=20)
    assert len(measurement.latencies_ms) == 20
    assert measurement.failures == 0
    assert all(latency > 0 for latency in measurement.latencies_ms)
    assert measurement.elapsed_s > 0


def test_an_open_loop_sends_every_arrival(body: Path) -> None:
    measurement = load_fixed_server(body, rate=2000, max_requests=50)
    assert len(measurement.latencies_ms) == 50
    assert measurement.failures == 0
    assert measurement.sent_late_ms >= 0


def test_an_open_loop_counts_waiting_for_a_server_that_pauses(body: Path) -> None:
    """The first request waits for the last one's arrival, which must show in its latency."""

    async def both() -> Measurement:
        arrived = 0
        everybody = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal arrived
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(100_000)
            arrived += 1
            if arrived == 10:
                everybody.set()
            await everybody.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            return await run(Load(port_of(server), "/", str(body), seconds=30, rate=100, max_requests=10))

    measurement = asyncio.run(both())
    assert len(measurement.latencies_ms) == 10
    times = arrival_times(rate=100, seconds=30, max_requests=10)
    assert max(measurement.latencies_ms) > (times[-1] - times[0]) * 1000 - 1


def test_answers_other_than_200_are_failures(body: Path) -> None:
    async def both() -> Measurement:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(100_000)
            writer.write(b"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            return await run(Load(port_of(server), "/", str(body), seconds=30, clients=2, max_requests=4))

    measurement = asyncio.run(both())
    assert measurement.failures == 4
    assert measurement.latencies_ms == ()


def test_a_server_that_is_not_there_is_a_failure(body: Path) -> None:
    async def nobody() -> Measurement:
        async with await serve(0) as server:
            port = port_of(server)
        return await run(Load(port, "/", str(body), seconds=30, max_requests=2))

    assert asyncio.run(nobody()).failures == 2


def test_the_fixed_server_answers_requests_that_come_in_parts() -> None:
    async def both() -> bytes:
        async with await serve(0) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
            request = post("/", b"hello")
            for part in (request[:20], request[20:-3], request[-3:]):
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(len(BODY))
            writer.close()
            await writer.wait_closed()
            return body

    assert asyncio.run(both()) == BODY


def test_bodies_with_a_length_and_in_chunks_are_read() -> None:
    replies = exchange_with(
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        ]
    )
    assert replies == [Reply(200, b"abc"), Reply(500, b"def"), Reply(200, b"")]


def test_a_connection_is_made_anew_after_the_server_closed_it() -> None:
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"
    assert exchange_with([closing, closing]) == [Reply(200, b"a"), Reply(200, b"a")]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", EOFError),
        (b"HTTP/1.1 200 OK\r\n\r\nhalf", ReplyError),
        (b"nonsense\r\n\r\nhalf", ReplyError),
    ],
)
def test_half_and_foreign_answers_are_errors(answer: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        exchange_with([answer])
