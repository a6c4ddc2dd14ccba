"""Runs the application under uvicorn, and shuts it down gracefully."""

import asyncio
import logging
import logging.config
import math
import os
import signal
import socket
import sys
import threading
import time
from functools import partial
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.api.application import create_app
from app.api.auth.keys import KeysError
from app.api.reload import reload_on
from app.api.state import state_of
from app.heap import limit_arenas
from app.observability.logs import log_config
from app.problems import ProblemError
from app.server.announcement import announce
from app.server.channel import Message, WorkerChannel
from app.server.exit_codes import CANNOT_START, DEVICE_FAILED
from app.server.open_files import raise_open_files_limit
from app.server.protocol import HttpProtocol
from app.settings import Settings
from model.cores import require_threads, usable_cores
from model.errors import DeviceError, SegmentationError

_GIVEN_UP_S = 10.0
"""Seconds within which a failed device must recover."""

_LAST_BAND_S = 10.0
"""Seconds that the current band may take after everything else has ended."""

_SWITCH_INTERVAL_S = 1e-4
"""Longest time for which the event loop keeps the interpreter from a thread that computes (Python's default: 5 ms). The
thread needs it after each layer; while many requests are refused, it would wait long each time
(``benchmarks.reliability.overload``).
"""

_HEARTBEAT_INTERVAL_S = 0.5
"""Seconds between heartbeats, and between sweeps of the connections."""

_logger = logging.getLogger("app")


class Server(uvicorn.Server):
    """A server that keeps listening on SIGTERM until accepted requests are finished: ``/readyz`` and new requests get
    503.

    SIGINT does the same, but a second one ends the server at once. A second SIGTERM does not, since some senders repeat
    it. The exit code of a graceful end is 0. SIGHUP reloads weights and keys.

    Args:
        config: uvicorn's configuration.
        app: the application.
        channel: channel to the supervisor, if any; when the supervisor ends, the server ends, too.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI, channel: WorkerChannel | None = None) -> None:
        super().__init__(config)
        self._app = app
        self._state = state_of(app)
        self._channel = channel
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._failed_since: float | None = None
        self.exit_code = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        hangup = asyncio.Event()
        self._loop.add_signal_handler(signal.SIGHUP, hangup.set)
        if self._channel is not None:
            self._channel.on_end(self._end)
        await super().startup(sockets)
        if not self.started:
            return
        if not await self._has_loaded() or self.should_exit:
            self.should_exit = True
            await self.shutdown(sockets)
        else:
            self._tasks += [asyncio.create_task(task) for task in (reload_on(hangup, self._app), self._watch())]
            if self._channel is not None:
                self._channel.send(Message.READY)
            else:
                announce(self.servers[0].sockets[0])

    async def _has_loaded(self) -> bool:
        """Wait for the weights; until then, requests get 503 with Retry-After."""
        try:
            await self._state.loading
        except (KeysError, SegmentationError, ProblemError) as error:
            _logger.error("cannot start: %s", error)
            self.exit_code = CANNOT_START
            return False
        return True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 (uvicorn's signature)
        if self._loop is None or self._state.service is None:
            self.should_exit = True
        elif self._draining is None:
            self._loop.call_soon_threadsafe(self._start_drain)
        elif sig == signal.SIGINT:
            self.should_exit = self.force_exit = True
            end_within(_LAST_BAND_S, self.exit_code)  # tasks wait for their threads

    async def _watch(self) -> None:
        """Watch connections and device until the process ends: connections outlive uvicorn's main loop."""
        while True:
            for connection in tuple(self.server_state.connections):
                assert isinstance(connection, HttpProtocol)
                connection.enforce_time_limits()
            if self._channel is not None:
                self._channel.send(Message.HEARTBEAT)
            self._end_if_failed()
            await asyncio.sleep(_HEARTBEAT_INTERVAL_S)

    def _end_if_failed(self) -> None:
        """End the process so that it is replaced: not every orchestrator uses probes, and a probe may reach another
        worker.
        """
        service = self._state.service
        if service is None or service.failure is None:
            self._failed_since = None
        elif self._failed_since is None:
            self._failed_since = time.monotonic()
        elif time.monotonic() - self._failed_since > _GIVEN_UP_S:
            self.exit_code = DEVICE_FAILED
            self.should_exit = True

    def _start_drain(self) -> None:
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        service = self._state.service
        assert service is not None
        await service.drain()
        self.should_exit = True

    def _end(self) -> None:
        """Finish accepted requests, but free the port at once: another supervisor may be waiting for it."""
        self.should_exit = True


def serve(settings: Settings, listener: socket.socket | None = None, channel: WorkerChannel | None = None) -> None:
    """Serve until a signal; exits with code 3 if the application cannot start or the address is taken.

    Args:
        settings: settings of the service.
        listener: listening socket shared with other workers; None opens one.
        channel: channel to the workers' supervisor; None without a supervisor.
    """
    raise_open_files_limit()
    limit_arenas()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    if settings.workers > 1:
        try:
            require_threads(settings.threads, "FCN_THREADS")
        except DeviceError as error:
            logging.config.dictConfig(log_config(settings.log_format, settings.log_level))
            _logger.error("cannot start: %s", error)
            sys.exit(CANNOT_START)
        threads = settings.threads or usable_cores()
        settings = settings.model_copy(update={"threads": max(1, threads // settings.workers)})
    # With several workers, one that is not ready leaves requests to the others.
    if channel is None:
        app = create_app(settings, load_in_background=True)
    else:
        app = create_app(settings, after_reload=partial(channel.send, Message.RELOADED))
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=HttpProtocol,
        ws="none",
        log_config=log_config(settings.log_format, settings.log_level),
        access_log=False,  # the application's own log has more
        lifespan="on",
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=math.ceil(settings.drain_timeout_s),  # for responses that are still being sent
    )
    server = Server(config, app, channel)
    server.run(None if listener is None else [listener])
    end_within(_LAST_BAND_S, server.exit_code)
    if server.exit_code:
        sys.exit(server.exit_code)


def end_within(seconds: float, exit_code: int) -> None:
    """End the process after ``seconds`` at the latest, since Python waits for each thread's current step."""
    end = threading.Timer(seconds, os._exit, (exit_code,))
    end.daemon = True
    end.start()
