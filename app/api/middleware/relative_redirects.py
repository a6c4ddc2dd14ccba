"""Makes redirects work behind a proxy with any scheme, host and path prefix."""

from starlette.datastructures import URL, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RelativeRedirectsMiddleware:
    """Makes Starlette's redirects relative: they correct trailing slashes, but use the address that Starlette knows."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_relative(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 307:
                headers = MutableHeaders(scope=message)
                headers["location"] = _relative(headers["location"], scope["path"])
            await send(message)

        await self._app(scope, receive, send_relative)


def _relative(location: str, asked: str) -> str:
    """The location relative to the requested path."""
    target = URL(location)
    name = target.path.rstrip("/").rpartition("/")[2]
    slashes = len(asked) - len(asked.rstrip("/"))
    path = "../" * slashes + name if slashes else f"{name}/"
    return f"{path}?{target.query}" if target.query else path
