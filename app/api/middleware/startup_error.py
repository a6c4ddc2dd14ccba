"""Reports startup errors in one sentence."""

import sys

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.auth.keys import KeysError
from model.errors import SegmentationError


class StartupErrorMiddleware:
    """Replaces the traceback of a failed start by one sentence if a file or a setting is at fault, not the code."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def brief_send(message: Message) -> None:
            # Starlette sends this from within the exception's handler, with the traceback.
            failure = sys.exception()
            if message["type"] == "lifespan.startup.failed" and isinstance(failure, (SegmentationError, KeysError)):
                message = {**message, "message": str(failure)}
            await send(message)

        await self._app(scope, receive, brief_send if scope["type"] == "lifespan" else send)
