"""A server that answers every request with the same bytes, to measure the load generator itself.

python -m benchmarks.fixed_server PORT
"""

import asyncio
import re
import sys

BODY = bytes(4096)
"""Response body, about as large as a mask."""

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class FixedAnswers(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (request := self._request_bytes()) and len(self._received) >= request:
            self._received = self._received[request:]
            self._transport.write(_ANSWER)

    def _request_bytes(self) -> int:
        """Length in bytes of the request being received; 0 until its header is complete."""
        end = self._received.find(b"\r\n\r\n")
        length = _LENGTH.search(self._received, 0, max(end, 0))
        return 0 if end < 0 else end + 4 + (int(length[1]) if length else 0)


async def serve(port: int) -> asyncio.Server:
    """Start a server that listens when this returns; port 0 takes a free port."""
    return await asyncio.get_running_loop().create_server(FixedAnswers, "127.0.0.1", port)


async def _forever(port: int) -> None:
    server = await serve(port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_forever(int(sys.argv[1])))
