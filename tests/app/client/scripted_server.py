"""A server for tests that sends prepared bytes, whatever the request."""

import re
import socket
from contextlib import suppress
from threading import Thread
from typing import Self

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def response(status: str, body: bytes, *headers: str, content_type: str = "application/json") -> bytes:
    """The bytes of a whole response, after which the connection is closed."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


class ScriptedServer:
    """Serves while entered: one connection after another, with one request each.

    Args:
        responses: response to each request, in order; None sends nothing.

    Attributes:
        requests: received requests, whole.
    """

    def __init__(self, *responses: bytes | None) -> None:
        self._answers = responses
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = Thread(target=self._serve)
        self.requests: list[bytes] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone would not wake the thread that waits in accept().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=30)
        self._listener.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        for response in self._answers:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.requests.append(_read(connection))
                if response is None:
                    connection.recv(1)  # until the client disconnects
                else:
                    connection.sendall(response)


def _read(connection: socket.socket) -> bytes:
    data = b""
    while not _is_whole(data):
        part = connection.recv(65536)
        if not part:
            break
        data += part
    return data


def _is_whole(data: bytes) -> bool:
    head, separator, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(separator) and len(body) >= (int(length[1]) if length else 0)
