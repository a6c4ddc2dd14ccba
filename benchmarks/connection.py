"""A keep-alive HTTP/1.1 connection that sends ready-made bytes: as little work per request as Python allows."""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response.

    Attributes:
        status: HTTP status.
        body: body, its chunks joined.
        fields: lower-case header name -> value.
        head_at: ``time.perf_counter`` when the headers arrived.
    """

    status: int
    body: bytes
    fields: Mapping[str, str] = field(default_factory=dict, compare=False)
    head_at: float = field(default=0.0, compare=False)


class ReplyError(Exception):
    """The server sent bytes that this client cannot parse as an HTTP response."""


def post(path: str, body: bytes, content_type: str = "image/jpeg", key: str = "") -> bytes:
    """Build the bytes of a POST request; an empty ``key`` sends no API key."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: {content_type}",
        "Accept: image/png",
        f"Content-Length: {len(body)}",
        *([f"Authorization: Bearer {key}"] if key else []),
    ]
    return "\r\n".join(lines).encode() + _HEAD_END + body


class Connection:
    """A connection to a server on this machine, opened on first use and reopened after the server has closed it.

    Attributes:
        sent_at: ``time.perf_counter`` when the operating system had accepted the whole last request; infinite until
            then.
        own_port: local port of the last connection.
    """

    def __init__(self, port: int) -> None:
        self.sent_at = math.inf
        self.own_port = 0
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def exchange(self, request: bytes) -> Reply:
        """Send a request and read the whole response.

        Raises:
            OSError: no server listens, or it reset the connection.
            EOFError: the connection ended within a response.
            ReplyError: the response cannot be parsed.
        """
        self.sent_at = math.inf
        reader, writer = await self._connected()
        try:
            writer.write(request)
            await writer.drain()
            self.sent_at = time.perf_counter()
            head = (await reader.readuntil(_HEAD_END)).decode("latin-1").lower()
            head_at = time.perf_counter()
            status_line, *lines = head.rstrip().split("\r\n")
            fields = {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}
            body = await _read_body(reader, fields)
            if fields.get("connection") == "close":
                self.close()
            return Reply(int(status_line.split(" ", 2)[1]), body, fields, head_at)
        except (ValueError, IndexError, asyncio.LimitOverrunError) as error:
            self.close()
            raise ReplyError(f"the response cannot be parsed: {error}") from error
        except BaseException:
            self.close()  # half a response may be left in it
            raise

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and self._streams[0].at_eof():
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
            _, writer = self._streams
            writer.transport.set_write_buffer_limits(0)  # so that drained bytes have left this process
            self.own_port = writer.get_extra_info("sockname")[1]
        return self._streams


async def _read_body(reader: asyncio.StreamReader, fields: Mapping[str, str]) -> bytes:
    if "content-length" in fields:
        return await reader.readexactly(int(fields["content-length"]))
    if fields.get("transfer-encoding") != "chunked":
        raise ReplyError("the response has neither a length nor chunks")
    chunks = []
    while size := int(await reader.readline(), 16):
        chunks.append((await reader.readexactly(size + 2))[:-2])
    await reader.readline()
    return b"".join(chunks)
