"""Headers that restrict what browsers allow responses to do."""

import base64
import hashlib
import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = "Content-Security-Policy"
_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_OWN = f"{_NOTHING}; script-src 'self'; connect-src 'self'"

_POLICIES = {
    "/": f"{_OWN}; style-src 'self'; img-src 'self' data:",
    "/docs": f"{_OWN}; style-src 'self'; img-src 'self' blob: data:",
    # ReDoc creates its styles, and the worker for its search, at run time.
    "/redoc": f"{_OWN}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src blob:",
}

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",  # CORS allows exceptions
}

_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


class SecurityHeadersMiddleware:
    """Adds the headers to every response; pages get the strictest content security policy with which they work."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held: Message | None = None

        async def send_with_headers(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                # By the route, which does not depend on the service's path prefix.
                route = getattr(scope.get("route"), "path", "")
                headers[_POLICY] = _POLICIES.get(route, _NOTHING)
                if route == "/docs":
                    held = message
                    return
            elif held is not None:
                headers = MutableHeaders(scope=held)
                headers[_POLICY] = _with_inline_scripts(headers[_POLICY], message.get("body", b""))
                await send(held)
                held = None
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _with_inline_scripts(policy: str, page: bytes) -> str:
    """A policy that allows a page's inline scripts."""
    hashes = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _INLINE_SCRIPT.findall(page)]
    return policy.replace("script-src 'self'", " ".join(["script-src 'self'", *(f"'sha256-{it}'" for it in hashes)]))
