"""Supervises several workers on one port: starts them, replaces those that die, and ends them gracefully.

Each worker is a fresh interpreter; the supervisor itself loads no weights and answers no requests.
"""

import asyncio
import logging
import logging.config
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Self

from app.environment import WORKERS_FOLDER
from app.observability.logs import log_config
from app.process_settings import ProcessSettings
from app.server.announcement import announce
from app.server.channel import Message
from app.server.exit_codes import CANNOT_START
from app.server.metrics_directory import MultiprocessMetricsDirectory, NoMetricsDirectoryError
from app.server.open_files import raise_open_files_limit

_BACKLOG = 2048
_STEADY_S = 10.0
"""Age in seconds from which a dead worker is replaced at once; one that dies earlier is likely to do so again."""

_SHORTEST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_HEARTBEAT_TIMEOUT_S = 60.0
"""Seconds without a heartbeat after which a worker is killed."""

_HEARTBEAT_GRACE_S = 5.0
"""Additional seconds for a heartbeat after that: the supervisor may have been suspended along with the workers."""

_START_TIMEOUT_S = 300.0
"""Seconds after which a worker that is not ready is killed."""

_logger = logging.getLogger("app")


class Worker:
    """The supervisor's view of one worker process."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.is_ready = False
        self._process = process
        self._reader = reader
        self._writer = writer
        self._must_reload = False

    @classmethod
    async def start(cls, module: str, listener: socket.socket, environment: dict[str, str]) -> Self:
        """Start a process that runs ``module`` and accepts connections from ``listener``.

        Raises:
            OSError: the system lacks the resources for a process.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = (listener.fileno(), theirs.fileno())
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    module,
                    *map(str, descriptors),
                    pass_fds=descriptors,
                    env=environment,
                    process_group=0,  # the terminal's signals are for the supervisor
                )
            except OSError:
                ours.close()
                raise
        return cls(process, *await asyncio.open_connection(sock=ours))

    @property
    def process_id(self) -> int:
        return self._process.pid

    async def run(self, on_message: Callable[[Self, Message], None]) -> int:
        """Wait until the worker has ended, and return its exit code.

        Args:
            on_message: called with the worker and each of its messages.
        """
        listening = asyncio.create_task(self._listen(on_message))
        try:
            return await self._process.wait()
        finally:
            listening.cancel()
            self._writer.close()

    def reload(self) -> None:
        """Make the worker reload weights and keys, as soon as it is ready."""
        if self.is_ready:
            self._signal(signal.SIGHUP)
        else:
            self._must_reload = True

    def end(self) -> None:
        """Make the worker finish its accepted requests, and end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    async def _listen(self, on_message: Callable[[Self, Message], None]) -> None:
        with suppress(ConnectionError):
            while code := await self._next_message():
                message = Message(code)
                if message is Message.READY:
                    self.is_ready = True
                    if self._must_reload:
                        self.reload()
                on_message(self, message)

    async def _next_message(self) -> bytes:
        timeout_s = _HEARTBEAT_TIMEOUT_S if self.is_ready else _START_TIMEOUT_S
        for seconds in (timeout_s, _HEARTBEAT_GRACE_S):
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    return await self._reader.read(1)
        _logger.error("worker %d has been silent for %g s, and is killed", self.process_id, timeout_s)
        self.kill()
        return await self._reader.read(1)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"


class Supervisor:
    """Keeps a fixed number of workers running.

    SIGTERM and SIGINT end them gracefully; a second SIGINT, say from an impatient user, kills them. SIGHUP is
    forwarded to all workers.

    Args:
        listener: the socket from which workers accept connections.
        folder: the directory of their metrics.
        count: number of workers.
        module: the module that they run.
    """

    def __init__(self, listener: socket.socket, folder: MultiprocessMetricsDirectory, count: int, module: str) -> None:
        self._listener = listener
        self._folder = folder
        self._count = count
        self._module = module
        place = str(folder.path)
        self._environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": place, WORKERS_FOLDER: place}
        self._workers: set[Worker] = set()
        self._ending = asyncio.Event()
        self._exit_code = 0

    async def run(self) -> int:
        """Run until a signal.

        Returns:
            Exit code of the service: 0 after a graceful end, or that of a worker that could not start at first.
        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, number)
        started = [asyncio.Event() for _ in range(self._count)]
        # Start one worker first, so that bad weights or settings are reported only once.
        keepers = [asyncio.create_task(self._keep_worker(started[0]))]
        await started[0].wait()
        keepers += [asyncio.create_task(self._keep_worker(event)) for event in started[1:]]
        for event in started:
            await event.wait()
        if not self._ending.is_set():
            announce(self._listener)
        await asyncio.gather(*keepers)
        return self._exit_code

    async def _keep_worker(self, started: asyncio.Event) -> None:
        """Keep one worker running, and replace it when it dies; set ``started`` once it is ready or cannot start."""
        pause_s = 0.0
        while not self._ending.is_set():
            began = time.monotonic()
            await self._run_worker(started)
            is_steady = time.monotonic() - began > _STEADY_S
            pause_s = 0.0 if is_steady else min(_LONGEST_PAUSE_S, max(_SHORTEST_PAUSE_S, 2 * pause_s))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause_s)
        started.set()

    async def _run_worker(self, started: asyncio.Event) -> None:
        try:
            worker = await Worker.start(self._module, self._listener, self._environment)
        except OSError as error:
            _logger.error("a worker cannot be started: %s", error)
            self._ended(CANNOT_START, was_ready=False, is_first=not started.is_set())
            return
        self._workers.add(worker)
        if self._ending.is_set():
            worker.end()
        code = await worker.run(partial(self._on_message, started))
        self._workers.remove(worker)
        self._folder.mark_dead(worker.process_id, has_served=worker.is_ready)
        manner = f"with exit code {code}" if code >= 0 else f"by {_signal_name(-code)}"
        _logger.log(logging.INFO if code == 0 else logging.ERROR, "worker %d has ended %s", worker.process_id, manner)
        self._ended(code, was_ready=worker.is_ready, is_first=not started.is_set())

    def _ended(self, code: int, *, was_ready: bool, is_first: bool) -> None:
        if self._ending.is_set():
            if was_ready and code != 0:
                self._exit_code = 1  # accepted requests are lost
        elif is_first:
            self._exit_code = code if code > 0 else CANNOT_START
            self._end(signal.SIGTERM)

    def _on_message(self, started: asyncio.Event, worker: Worker, message: Message) -> None:
        match message:
            case Message.READY:
                started.set()
            case Message.RELOADED:
                for other in self._workers - {worker}:
                    other.reload()

    def _reload(self) -> None:
        for worker in self._workers:
            worker.reload()

    def _end(self, number: int) -> None:
        for worker in self._workers:
            if not self._ending.is_set():
                worker.end()
            elif number == signal.SIGINT:
                worker.kill()
        self._ending.set()


def supervise(settings: ProcessSettings, module: str = "app.server.worker") -> int:
    """Serve with several workers, which run ``module``, until a signal; returns the exit code."""
    logging.config.dictConfig(log_config(settings.log_format, settings.log_level))
    raise_open_files_limit()
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        _logger.error("cannot listen on %s, port %d: %s", settings.host, settings.port, error.strerror)
        return CANNOT_START
    with listener:
        try:
            folder = MultiprocessMetricsDirectory()
        except NoMetricsDirectoryError as error:
            _logger.error("%s", error)
            return CANNOT_START
        try:
            return asyncio.run(Supervisor(listener, folder, settings.workers, module).run())
        finally:
            folder.remove()
