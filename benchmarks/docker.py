"""The ``docker`` command, and containers that a test starts."""

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
"""How docs/container.md runs the service."""

_COMMAND_S = 1800
"""Seconds that a command of Docker's may take; builds take minutes."""

START_S = 300
"""Seconds until a container is ready; usually 4."""


class DockerError(Exception):
    """A command of Docker's has failed; its words are what it said."""


def docker(*words: object, input: bytes | None = None) -> str:  # noqa: A002 (subprocess's name)
    """What a command of Docker's prints.

    Raises:
        DockerError: it failed.
    """
    command = ["docker", *map(str, words)]
    result = subprocess.run(command, input=input, capture_output=True, check=False, timeout=_COMMAND_S)
    if result.returncode:
        raise DockerError(f"{command}\n{result.stdout.decode()}{result.stderr.decode()}")
    return result.stdout.decode().strip()


class Container:
    """A container, removed when left.

    Args:
        image: its image.
        options: options of ``docker run``.
        command: instead of the image's.
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
        """Where its port 8000 is reached."""
        return f"http://{docker('port', self.id, '8000/tcp').splitlines()[0]}"

    def execute(self, *command: str, input: bytes | None = None) -> str:  # noqa: A002
        """What a command in the container prints."""
        return docker("exec", "--interactive", self.id, *command, input=input)

    def wait_until_healthy(self) -> Self:
        """Return when its health check has passed; it fails if the container ends before."""

        def is_healthy() -> bool:
            state = self.state
            assert state["Running"] or state["Restarting"], "\n".join(self.logs)
            return bool(state["Health"]["Status"] == "healthy")

        wait_until(is_healthy, START_S)
        return self

    def wait(self) -> int:
        """Its exit code, when it has ended."""
        return int(docker("wait", self.id))

    def segment(self, image: bytes, timeout_s: float = 300) -> httpx2.Response:
        """Have an image segmented over its published port."""
        return httpx2.post(
            f"{self.address}/segment",
            content=image,
            headers={"Content-Type": "application/octet-stream"},
            timeout=timeout_s,
            trust_env=False,
        )
