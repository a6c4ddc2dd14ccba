"""Debian's nginx with the configuration of compose's pinned nginx."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

import pytest

from benchmarks.waiting import wait_until
from tests.app.server_process import ServerProcess
from tests.ecosystem.ports import free_port

FOLDER = Path(__file__).parents[2] / "deploy/nginx"
PROGRAM = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")

needs_nginx = pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed (Debian: nginx)")


class Proxy(ServerProcess):
    """nginx in front of services, on a free port; ready when entered.

    Args:
        folder: folder for its files.
        ports: ports of the services.
        changes: text of the configuration -> replacement for the test.
    """

    def __init__(self, folder: Path, ports: Iterable[int], changes: Mapping[str, str]) -> None:
        super().__init__()
        self.port = free_port()
        self._folder = folder
        text = (FOLDER / "nginx.conf").read_text()
        for old, new in {"listen 8080;": f"listen 127.0.0.1:{self.port};", **changes}.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (folder / "nginx.conf").write_text(text)
        (folder / "replicas.conf").write_text(_replicas(ports))

    def __enter__(self) -> Self:
        assert PROGRAM is not None
        # If root starts nginx, its workers would run as nobody, who cannot read a test's folder.
        directives = "daemon off; user root;"
        command = [PROGRAM, "-e", "stderr", "-p", self._folder, "-c", self._folder / "nginx.conf", "-g", directives]
        with (self._folder / "log").open("w") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
        wait_until(lambda: self.process.poll() is not None or _answers(self.port))
        assert self.process.poll() is None, self.text
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=20)

    @property
    def text(self) -> str:
        """The log so far."""
        return (self._folder / "log").read_text()


def _replicas(ports: Iterable[int]) -> str:
    """The services in place of the container that compose's file names, each with that container's parameters."""
    (parameters,) = re.findall(r"^server replica:8000 resolve (.*);$", (FOLDER / "replicas.conf").read_text(), re.M)
    return "".join(f"server 127.0.0.1:{port} {parameters};\n" for port in ports)


def _answers(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0
