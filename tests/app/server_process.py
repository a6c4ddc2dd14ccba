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
        settings: of the service.
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
        # What nobody reads fills the pipe, and the service waits until somebody does.
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
        """The port."""
        for line in self._output:
            self.log.append(line)
            if match := READY.search(line):
                return int(match[1])
        raise AssertionError("the service did not start:\n" + "".join(self.log))

    def _start(self, output: int) -> "subprocess.Popen[bytes] | ForkedProcess":
        """Start the process, whose standard output and error are the descriptor ``output``."""
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
        """End the service; the lines that it has printed."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        self._reading.join(timeout=60)
        return self.log

    def upload(self, body: bytes, query: str = "") -> "Upload":
        """A connection that has sent a whole POST and not read its answer."""
        return self._upload(body, len(body), query)

    def unfinished_upload(self, body: bytes, sent: int) -> "Upload":
        """A connection that has sent the head of a POST and the first bytes of its body."""
        return self._upload(body, sent)

    def _upload(self, body: bytes, sent: int, query: str = "") -> "Upload":
        self._uploads.append(Upload(self.port, body, sent, query))
        return self._uploads[-1]


class ForkedServer(ServerProcess):
    """The same service without the seconds that a new interpreter takes to import it: `make test` starts many."""

    def _start(self, output: int) -> ForkedProcess:
        with Path(os.devnull).open() as nothing:
            streams = (nothing.fileno(), output, output)
            return ForkedProcess("app.__main__", ["app"], self._environment, Path.cwd(), streams)


def refused_start(**settings: object) -> tuple[int, str]:
    """The exit code of a service that cannot start, and what it says on standard error."""
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
        """Send the rest; the whole response."""
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
