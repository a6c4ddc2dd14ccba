"""A real service process for tests."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Self

import httpx2

from tests.app.forked_process import ForkedProcess, run_forked

READY = re.compile(r"Ready on http://127\.0\.0\.1:(\d+)")


def environment(settings: dict[str, object]) -> dict[str, str]:
    own = {f"FCN_{name.upper()}": str(value) for name, value in settings.items()}
    return {**os.environ, "FCN_HOST": "127.0.0.1", "FCN_PORT": "0", **own}


class ServerProcess:
    """`python -m app` on a free port; ready when entered.

    Args:
        prefix: words before that command.
        settings: settings of the service.
    """

    def __init__(self, *prefix: str, **settings: object) -> None:
        self._command = [*prefix, sys.executable, "-m", "app"]
        self._environment = environment(settings)
        self.log: list[str] = []
        self._uploads: list[Upload] = []

    def __enter__(self) -> Self:
        reader, writer = os.pipe()
        self._output = os.fdopen(reader)
        try:
            self.process = self._start(writer)
        finally:
            os.close(writer)
        # Unread output would fill the pipe and block the service.
        self._reading = Thread(target=self.log.extend, args=[self._output])
        try:
            self.port = self._wait_until_ready()
        except BaseException:
            self.process.kill()
            self.__exit__()
            raise
        self._reading.start()
        return self

    def _wait_until_ready(self) -> int:
        """Wait until the service is ready, and return its port."""
        for line in self._output:
            self.log.append(line)
            if match := READY.search(line):
                return int(match[1])
        raise AssertionError("the service did not start:\n" + "".join(self.log))

    def _start(self, output: int) -> "subprocess.Popen[bytes] | ForkedProcess":
        """Start the process with ``output`` as the descriptor of standard output and error."""
        return subprocess.Popen(self._command, env=self._environment, stdout=output, stderr=output)

    def __exit__(self, *_: object) -> None:
        for upload in self._uploads:
            upload.close()
        try:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
                self.process.wait(timeout=60)
        finally:
            self.process.kill()
            self.process.wait()
            if self._reading.is_alive():
                self._reading.join(timeout=60)
            self._output.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=120)

    def end(self) -> list[str]:
        """End the service, and return the lines that it printed."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        self._reading.join(timeout=60)
        return self.log

    def upload(self, body: bytes, query: str = "") -> "Upload":
        """A connection that has sent a whole POST, but not read the response."""
        return self._upload(body, len(body), query)

    def unfinished_upload(self, body: bytes, sent: int) -> "Upload":
        """A connection that has sent the header of a POST and the first ``sent`` bytes of its body."""
        return self._upload(body, sent)

    def _upload(self, body: bytes, sent: int, query: str = "") -> "Upload":
        self._uploads.append(Upload(self.port, body, sent, query))
        return self._uploads[-1]


class ForkedServer(ServerProcess):
    """The same service, forked: it saves the seconds that a new interpreter takes to import it."""

    def _start(self, output: int) -> ForkedProcess:
        with Path(os.devnull).open() as nothing:
            streams = (nothing.fileno(), output, output)
            return ForkedProcess("app.__main__", ["app"], self._environment, Path.cwd(), streams)


def refused_start(**settings: object) -> tuple[int, str]:
    """The exit code and the standard error of a service that cannot start."""
    ended = run_forked("app.__main__", ["app"], environment(settings), Path.cwd())
    return ended.returncode, ended.stderr.decode()


class Upload:
    """A POST /segment whose body is sent in two parts."""

    def __init__(self, port: int, body: bytes, sent: int, query: str = "") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._rest = body[sent:]
        headers = f"Host: x\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(f"POST /segment?{query} HTTP/1.1\r\n{headers}".encode() + body[:sent])

    def finish(self) -> bytes:
        """Send the rest of the body, and return the whole response."""
        self._socket.sendall(self._rest)
        return self.response()

    def response(self) -> bytes:
        parts = []
        while part := self._socket.recv(65536):
            parts.append(part)
            if _is_whole(b"".join(parts)):
                break
        self._socket.close()
        return b"".join(parts)

    def close(self) -> None:
        self._socket.close()


def _is_whole(response: bytes) -> bool:
    head, separator, body = response.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    return bool(separator) and length is not None and len(body) >= int(length[1])
