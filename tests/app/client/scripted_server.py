"""A server for tests that answers with bytes prepared beforehand, whatever it is asked."""

import re
import socket
from contextlib import suppress
from threading import Thread
from typing import Self

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def response(status: str, body: bytes, *headers: str, content_type: str = "application/json") -> bytes:
    """A whole response, after which the connection is closed."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


class ScriptedServer:
    """Serves while it is entered: one connection after the other, of each one request.

    Args:
        responses: to the first request, the second, and so on; nothing at all where there is None.

    Attributes:
        requests: those that came, whole.
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
        # Closing alone would not wake who waits in accept().
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
                    connection.recv(1)  # until the client has gone
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
