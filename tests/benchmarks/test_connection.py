import asyncio

import pytest

from benchmarks.connection import Connection, Reply, ReplyError, post
from benchmarks.fixed_server import BODY, serve


def port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


def exchange_with(answers: list[bytes]) -> list[Reply]:
    """Send a request per response, and return how a connection parses the server's bytes."""
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
