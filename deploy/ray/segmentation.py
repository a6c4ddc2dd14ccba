"""A replica: the service's own application, without its HTTP server."""

import logging.config
from collections.abc import AsyncGenerator
from contextlib import aclosing

from app.api.application import create_app
from app.api.state import state_of
from app.observability.logs import log_config
from app.settings import Settings
from deploy.ray.asgi_call import call
from deploy.ray.messages import BEAT_S, HttpRequest, Parts


class Segmentation:
    """Answers what the service answers: limits, queues, problems and headers are its own.

    Args:
        settings: settings of the service.
    """

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc] # Ray awaits it
        logging.config.dictConfig(log_config(settings.log_format, settings.log_level))
        self._app = create_app(settings)
        self._lifespan = self._app.router.lifespan_context(self._app)
        await self._lifespan.__aenter__()

    async def __del__(self) -> None:
        """Ray calls it once accepted requests are finished."""
        await self._lifespan.__aexit__(None, None, None)

    def check_health(self) -> None:
        """Asked by Ray every few seconds.

        Raises:
            RuntimeError: the device has failed for good; Ray starts another replica.
        """
        service = state_of(self._app).service
        if service is not None and service.failure is not None:
            raise RuntimeError(service.failure)

    async def answer(self, request: HttpRequest) -> AsyncGenerator[Parts]:
        """The answer's parts as they come: a photograph's are there at once, those of a large image one by one.

        The first says only that somebody has the request, and so do others while nothing comes.

        Raises:
            BrokenAnswerError: what came is not all of it.
        """
        yield []
        async with aclosing(call(self._app, request, BEAT_S)) as answer:
            async for parts in answer:
                yield parts
