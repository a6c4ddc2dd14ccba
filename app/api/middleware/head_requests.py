"""Supports HEAD wherever GET is supported."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadMiddleware:
    """Handles HEAD like GET, without the body. FastAPI does not, but load balancers and monitors use it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                _allow_head(MutableHeaders(scope=message))
            if is_head:
                # Routing is done; the server and the log need the original method.
                scope["method"] = "HEAD"
                if message["type"] == "http.response.body":
                    message = {**message, "body": b""}
            await send(message)

        if is_head:
            scope["method"] = "GET"
        await self._app(scope, receive, send_head)


def _allow_head(headers: MutableHeaders) -> None:
    allowed = headers.get("allow", "").split(", ")
    if "GET" in allowed and "HEAD" not in allowed:
        headers["allow"] = ", ".join([*allowed, "HEAD"])
