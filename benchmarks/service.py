"""The services to measure, and starting and stopping one."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from benchmarks.connection import Connection, Reply, ReplyError, post
from benchmarks.process_tree import session_members

_ROOT = Path(__file__).parents[1]
_READY_TIMEOUT_S = 300.0
_STOP_TIMEOUT_S = 30.0
_TAIL = 4000
"""Characters from the end of a log that error messages quote."""

_BENTO = "benchmarks.peers.bentoml_service:Segmentation"


class ServiceError(Exception):
    """A service did not start, or did not respond with status 200."""


@dataclass(frozen=True, slots=True)
class Service:
    """How to start a service and send it requests.

    Attributes:
        name: display name.
        path: path that images are posted to.
        arguments: arguments of the Python interpreter; ``{port}`` is replaced.
        environment: environment variables; ``{port}`` in a value is replaced.
        packages: packages whose versions are reported with the results.
        least_equal: smallest share of pixels in which its masks must equal ours.
        key: API key of its requests; empty sends none.
    """

    name: str
    path: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    least_equal: float = 0.999
    key: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is our service, perhaps with other settings."""
        return self.arguments == OURS.arguments

    def with_environment(self, **variables: str) -> "Service":
        """The same service with additional environment variables."""
        return replace(self, environment={**self.environment, **variables})


OURS = Service(
    "ours-float32",
    "/segment",
    ("-m", "app"),
    {"FCN_HOST": "127.0.0.1", "FCN_PORT": "{port}", "FCN_DEVICE": "cpu", "FCN_PRECISION": "float32"},
    ("torch", "fastapi", "uvicorn", "pillow"),
)

VARIANTS = {
    variant.name: variant
    for variant in (
        replace(OURS.with_environment(FCN_PRECISION="auto"), name="ours-default", least_equal=0.98),
        replace(OURS.with_environment(FCN_PRECISION="bfloat16"), name="ours-bfloat16", least_equal=0.98),
        replace(OURS.with_environment(FCN_PRECISION="int8"), name="ours-int8", least_equal=0.98),
    )
}
"""Name -> our service with settings that change some pixels."""

PEERS = {
    peer.name: peer
    for peer in (
        Service(
            "naive",
            "/segment",
            ("-m", "benchmarks.peers.naive", "{port}"),
            packages=("torch", "fastapi", "uvicorn", "pillow"),
        ),
        Service(
            "litserve",
            "/segment",
            ("-m", "benchmarks.peers.litserve_service", "{port}"),
            packages=("torch", "litserve"),
        ),
        Service(
            "bentoml",
            "/segment",
            ("-m", "bentoml", "serve", _BENTO, "--host", "127.0.0.1", "--port", "{port}"),
            {"BENTOML_DO_NOT_TRACK": "True"},
            ("torch", "bentoml"),
        ),
        Service(
            "ray-serve",
            "/segment",
            ("-m", "benchmarks.peers.ray_serve_service", "{port}"),
            {
                "RAY_AUTH_MODE": "disabled",
                "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
                "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
                "RAY_USAGE_STATS_ENABLED": "0",
            },
            ("torch", "ray"),
        ),
        Service(
            "torchserve",
            "/predictions/segment",
            ("-m", "benchmarks.peers.torchserve_service", "{port}"),
            packages=("torch", "torchserve"),
        ),
    )
}
"""Name -> service of another project."""


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service that has been started.

    Attributes:
        port: local port that it listens on.
        process: the started process, leader of its session.
    """

    port: int
    process: "subprocess.Popen[bytes]"
    _log: IO[str]

    def log(self) -> str:
        """Everything the service has written so far."""
        # The service shares the file's position, so reading must not move it.
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0).decode()


@contextmanager
def running(service: Service, python: str, image: bytes) -> Iterator[int]:
    """Like ``started``, but yields only the port."""
    with started(service, python, image) as one:
        yield one.port


@contextmanager
def started(service: Service, python: str, image: bytes) -> Iterator[RunningService]:
    """Start a service, wait until it segments an image, and stop it on exit.

    Args:
        service: service to start.
        python: interpreter that has the packages it needs.
        image: bytes of an image file, sent until the service segments it.

    Raises:
        ServiceError: the service ended or did not respond in time; the message has the end of its log.
    """
    port = _free_port()
    variables = {name: value.format(port=port) for name, value in service.environment.items()}
    with TemporaryFile("a+") as log:
        process = subprocess.Popen(
            [python, *(argument.format(port=port) for argument in service.arguments)],
            cwd=_ROOT,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that its child processes can be found
        )
        try:
            one = RunningService(port, process, log)
            _wait_until_ready(service, one, image)
            yield one
        finally:
            stop_session(process)


def segment(service: Service, port: int, image: bytes) -> bytes:
    """Post one image and return the response's body.

    Raises:
        ServiceError: the status is not 200, or there is no response.
    """
    try:
        reply = asyncio.run(_ask(service, port, image))
    except (OSError, EOFError, ReplyError) as error:
        raise ServiceError(f"{service.name} does not answer: {error!r}") from error
    if reply.status != 200:
        raise ServiceError(f"{service.name} responds with status {reply.status}: {reply.body[:200]!r}")
    return reply.body


async def _ask(service: Service, port: int, image: bytes) -> Reply:
    async with Connection(port) as connection:
        return await asyncio.wait_for(connection.exchange(post(service.path, image, key=service.key)), 60)


def _wait_until_ready(service: Service, one: RunningService, image: bytes) -> None:
    until = time.monotonic() + _READY_TIMEOUT_S
    while one.process.poll() is None:
        try:
            segment(service, one.port, image)
        except ServiceError as error:
            if time.monotonic() > until:
                raise ServiceError(f"{error}\n{one.log()[-_TAIL:]}") from error
            time.sleep(0.2)
        else:
            return
    raise ServiceError(f"{service.name} ended with exit code {one.process.returncode}:\n{one.log()[-_TAIL:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def stop_session(leader: subprocess.Popen[bytes]) -> None:
    """End a session leader and then all other processes of its session, by their ids.

    The leader has 30 seconds to end after SIGTERM, the rest 10 more; SIGKILL ends what is left.
    """
    if leader.poll() is None:
        leader.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            leader.wait(_STOP_TIMEOUT_S)
    for sent in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + _STOP_TIMEOUT_S / 3
        for member in session_members(leader.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, sent)
        while session_members(leader.pid) and time.monotonic() < until:
            time.sleep(0.1)
    leader.wait(_STOP_TIMEOUT_S)
