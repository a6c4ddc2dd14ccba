"""What surrounds every request: its ID, its measures, and an answer even if the service itself is at fault."""

import logging
import re
import sys
import time
import uuid
from http import HTTPMethod

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import problem_response
from app.logs import FIELDS
from app.metrics import Metrics
from app.problems import INTERNAL
from app.service import BrokenOff, Place
from model.errors import SegmentationError

_logger = logging.getLogger("app")
_MAX_LOGGED_PATH = 200
_PROBES = ("/livez", "/readyz", "/health", "/metrics")
"""Asked every few seconds, and no news: in the log only if it is to hold everything."""

_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class ObservationMiddleware:
    """Gives each request an ``X-Request-ID`` (the client's, if it sent a harmless one), counts it and logs it.

    An exception that nothing else caught is logged with that ID and answered by a problem document.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get("x-request-id"))
        started = time.perf_counter()
        status: int | None = None
        sent_bytes = 0

        async def observed_send(message: Message) -> None:
            nonlocal status, sent_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            sent_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        except ClientDisconnect:
            self._metrics.abandoned.inc()
        except BrokenOff as reason:
            _logger.warning("request %s: the answer was broken off: %s", request_id, reason)
        except Exception:
            _logger.exception("request %s failed", request_id)
            if status is None:
                response = problem_response(INTERNAL, f"the service failed; request {request_id} in its log says how")
                await response(scope, receive, observed_send)
        route = getattr(scope.get("route"), "path", "unmatched")
        # Methods are the client's to invent, series are ours to keep.
        method = scope["method"] if scope["method"] in HTTPMethod.__members__ else "other"
        seconds = time.perf_counter() - started
        if status is not None:
            self._metrics.requests.labels(method, route, status).inc()
            self._metrics.request_seconds.labels(route).observe(seconds)
        fields = {
            "id": request_id,
            "method": method,
            "path": scope["raw_path"].decode("latin-1")[:_MAX_LOGGED_PATH],
            "status": status,
            "seconds": round(seconds, 4),
            "bytes": sent_bytes,
            **_facts(scope),
        }
        level = logging.DEBUG if route in _PROBES else logging.INFO
        _logger.log(level, "request", extra={FIELDS: fields})


def _facts(scope: Scope) -> dict[str, object]:
    """What is known of a segmentation that was made."""
    place: Place | None = scope.get("state", {}).get("place")
    if place is None or place.result is None:
        return {}
    stages = {stage: round(seconds, 4) for stage, seconds in place.result.stages.items()}
    return {"pixels": place.result.pixels, "stages": stages}


class BriefStartupFailure:
    """Says in one sentence why the service does not start, if a file or a setting is at fault and not the code."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def brief_send(message: Message) -> None:
            # Sent from within the handler of the exception, whose traceback it would otherwise carry.
            failure = sys.exception()
            if message["type"] == "lifespan.startup.failed" and isinstance(failure, SegmentationError):
                message = {**message, "message": str(failure)}
            await send(message)

        await self._app(scope, receive, brief_send if scope["type"] == "lifespan" else send)


def _request_id(proposed: str | None) -> str:
    return proposed if proposed and _SAFE_ID.fullmatch(proposed) else uuid.uuid4().hex
