"""Runs the application under uvicorn, and ends it in order."""

import asyncio
import math
import signal
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.application import create_app
from app.logs import log_config
from app.service import Service
from app.settings import Settings


class Server(uvicorn.Server):
    """On SIGTERM keeps listening while accepted requests are finished: ``/readyz`` and new requests answer 503.

    A second signal ends it at once. An ordered end has exit code 0.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            print(f"Ready on {address} (try it in the browser; HTTP reference at {address}/docs)", flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 (uvicorn's signature)
        if self._loop is None or not self.started or self._draining is not None:
            self.should_exit = True
            self.force_exit = sig == signal.SIGINT
            return
        self._loop.call_soon_threadsafe(self._start_drain)

    def _start_drain(self) -> None:
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        service: Service = self._app.state.service
        await service.drain()
        self.should_exit = True


def serve(settings: Settings) -> None:
    """Serve until a signal; exits with code 3 if the application cannot start, 1 if the address is taken."""
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=log_config(settings.log_format, settings.log_level),
        access_log=False,  # the application tells more
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=math.ceil(settings.drain_timeout_s),  # for answers that are still being sent
    )
    Server(config, app).run()
