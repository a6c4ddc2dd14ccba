"""Ignores range requests: they get the whole file."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class NoRangeRequestsMiddleware:
    """Removes the header Range, as a server may (RFC 9110, 14.2): no file here is large, and Starlette's response to
    invalid ranges is not a problem document.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_whole(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "accept-ranges" in headers:
                    headers["accept-ranges"] = "none"
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Change the scope itself, where outer middleware finds the route.
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await self._app(scope, receive, send_whole)
