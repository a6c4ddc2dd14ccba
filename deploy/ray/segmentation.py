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
    """Responds exactly as the service does: with its limits, queues, problems and headers."""

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc] # Ray awaits it
        logging.config.dictConfig(log_config(settings.log_format, settings.log_level))
        self._app = create_app(settings)
        self._lifespan = self._app.router.lifespan_context(self._app)
        await self._lifespan.__aenter__()

    async def __del__(self) -> None:
        """Shut the application down; Ray calls this once accepted requests are finished."""
        await self._lifespan.__aexit__(None, None, None)

    def check_health(self) -> None:
        """Check the device; Ray calls this every few seconds.

        Raises:
            RuntimeError: the device has failed permanently; Ray then starts another replica.
        """
        service = state_of(self._app).service
        if service is not None and service.failure is not None:
            raise RuntimeError(service.failure)

    async def answer(self, request: HttpRequest) -> AsyncGenerator[Parts]:
        """Yield the response's parts as they come: all at once for a photograph, one by one for a large image.

        The first parts are empty and acknowledge the request; later empty ones are heartbeats.

        Raises:
            BrokenAnswerError: the response is incomplete.
        """
        yield []
        async with aclosing(call(self._app, request, BEAT_S)) as answer:
            async for parts in answer:
                yield parts
