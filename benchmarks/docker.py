"""The ``docker`` command, and containers that tests and benchmarks start."""

import json
import subprocess
from functools import cached_property
from typing import Any, Self

import httpx2

from benchmarks.waiting import wait_until

HARDENED = (
    *("--init", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--tmpfs", "/tmp:size=64m,mode=1777", "--cpus", "2", "--memory", "6g"),
)
"""Options of ``docker run`` with which docs/container.md runs the service."""

_COMMAND_S = 1800
"""Timeout of a ``docker`` command in seconds; builds take minutes."""

START_S = 300
"""Timeout of a container's start in seconds; it usually takes 4."""


class DockerError(Exception):
    """A ``docker`` command failed; the message contains its output."""


def docker(*words: object, input: bytes | None = None) -> str:  # noqa: A002 (subprocess's name)
    """Run a ``docker`` command and return its standard output.

    Raises:
        DockerError: the command failed.
    """
    command = ["docker", *map(str, words)]
    result = subprocess.run(command, input=input, capture_output=True, check=False, timeout=_COMMAND_S)
    if result.returncode:
        raise DockerError(f"{command}\n{result.stdout.decode()}{result.stderr.decode()}")
    return result.stdout.decode().strip()


class Container:
    """A running container, removed on exit.

    Args:
        image: image name.
        options: options of ``docker run``.
        command: replaces the image's command; empty keeps it.
    """

    def __init__(self, image: str, *options: str, command: tuple[str, ...] = ()) -> None:
        self._words = (*options, image, *command)

    def __enter__(self) -> Self:
        self.id = docker("create", *self._words)
        try:
            docker("start", self.id)
        except DockerError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        docker("rm", "--force", "--volumes", self.id)

    @property
    def details(self) -> dict[str, Any]:
        (details,) = json.loads(docker("inspect", self.id))
        found: dict[str, Any] = details
        return found

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.details["State"]
        return state

    @property
    def logs(self) -> list[str]:
        """Lines of standard output and error."""
        command = ["docker", "logs", self.id]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
        return result.stdout.decode().splitlines()

    @cached_property
    def address(self) -> str:
        """URL at which its port 8000 is published."""
        return f"http://{docker('port', self.id, '8000/tcp').splitlines()[0]}"

    def execute(self, *command: str, input: bytes | None = None) -> str:  # noqa: A002
        """Run a command in the container and return its standard output."""
        return docker("exec", "--interactive", self.id, *command, input=input)

    def wait_until_healthy(self) -> Self:
        """Wait until the health check passes; fail if the container ends first."""

        def is_healthy() -> bool:
            state = self.state
            assert state["Running"] or state["Restarting"], "\n".join(self.logs)
            return bool(state["Health"]["Status"] == "healthy")

        wait_until(is_healthy, START_S)
        return self

    def wait(self) -> int:
        """Wait until the container ends, and return its exit code."""
        return int(docker("wait", self.id))

    def segment(self, image: bytes, timeout_s: float = 300) -> httpx2.Response:
        """Post an image to ``/segment`` on the published port."""
        return httpx2.post(
            f"{self.address}/segment",
            content=image,
            headers={"Content-Type": "application/octet-stream"},
            timeout=timeout_s,
            trust_env=False,
        )
