"""Runs the application under uvicorn, and ends it in order."""

import asyncio
import math
import os
import signal
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.application import create_app
from app.process.announcement import announce
from app.process.descriptors import raise_descriptor_limit
from app.process.link import Link, Message
from app.process.protocol import HttpProtocol
from app.process.reloading import reload_on
from app.scheduling.service import Service
from app.settings import Settings
from app.telling.logs import log_config

_TENDING_S = 0.5
"""Between two looks at the connections."""


class Server(uvicorn.Server):
    """On SIGTERM keeps listening while accepted requests are finished: ``/readyz`` and new requests answer 503.

    SIGINT does the same, and ends it at once the second time; SIGTERM does not, for some senders repeat it. An ordered
    end has exit code 0. SIGHUP reloads weights and keys.

    Args:
        config: of uvicorn.
        app: is served.
        link: to the supervisor, if there is one; the end of it ends the server.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI, link: Link | None = None) -> None:
        super().__init__(config)
        self._app = app
        self._link = link
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        hangup = asyncio.Event()
        self._loop.add_signal_handler(signal.SIGHUP, hangup.set)
        if self._link is not None:
            self._link.on_end(self._end)
        await super().startup(sockets)
        if self.started:
            self._tasks += [asyncio.create_task(task) for task in (reload_on(hangup, self._app), self._tend())]
            if self._link is not None:
                self._link.tell(Message.READY)
            else:
                announce(self.servers[0].sockets[0])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 (uvicorn's signature)
        if self._loop is None or not self.started:
            self.should_exit = True
        elif self._draining is None:
            self._loop.call_soon_threadsafe(self._start_drain)
        elif sig == signal.SIGINT:
            self.should_exit = self.force_exit = True

    async def _tend(self) -> None:
        """To the very end: that of uvicorn's main loop is not that of its connections."""
        while True:
            for connection in tuple(self.server_state.connections):
                assert isinstance(connection, HttpProtocol)
                connection.enforce_time_limits()
            if self._link is not None:
                self._tell_supervisor(self._link)
            await asyncio.sleep(_TENDING_S)

    def _tell_supervisor(self, link: Link) -> None:
        link.tell(Message.ALIVE)
        service: Service = self._app.state.service
        if service.failure is not None:
            # Probes of its life reach any worker; so this one makes room for a new one itself.
            self.should_exit = True

    def _start_drain(self) -> None:
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        service: Service = self._app.state.service
        await service.drain()
        self.should_exit = True

    def _end(self) -> None:
        """Finish what is accepted, and free the port at once: another supervisor may be waiting for it."""
        self.should_exit = True


def serve(settings: Settings, listener: socket.socket | None = None, link: Link | None = None) -> None:
    """Serve until a signal; exits with code 3 if the application cannot start or the address is taken.

    Args:
        settings: of the service.
        listener: to take connections from, with other workers; without it one is made.
        link: to the supervisor of the workers.
    """
    raise_descriptor_limit()
    if settings.workers > 1 and not settings.threads:
        cores = len(os.sched_getaffinity(0))
        settings = settings.model_copy(update={"threads": max(1, cores // settings.workers)})
    app = create_app(settings)
    app.state.link = link
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=HttpProtocol,
        ws="none",
        log_config=log_config(settings.log_format, settings.log_level),
        access_log=False,  # the application tells more
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=math.ceil(settings.drain_timeout_s),  # for answers that are still being sent
    )
    Server(config, app, link).run(None if listener is None else [listener])
