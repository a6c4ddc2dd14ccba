"""Gives each request an ID, metrics and a log line, and a response even if the service itself fails."""

import asyncio
import logging
import re
import time
import uuid
from http import HTTPMethod, HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import ProblemResponse
from app.api.health import PROBES
from app.api.middleware.tracing import trace_id, trace_response
from app.observability.logs import FIELDS
from app.observability.metrics import Metrics
from app.pipeline.admission import Admission
from app.pipeline.request import EncodedResponse
from app.pipeline.segmented import ResponseAborted
from app.problems import DRAINING, INTERNAL, Problem

_logger = logging.getLogger("app")
_MAX_LOGGED_PATH = 200
_LAST = {"Retry-After": "1", "Connection": "close"}
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class ObservationMiddleware:
    """Gives each request an ``X-Request-ID`` (the client's, if it sent a safe one), counts it and logs it.

    An uncaught exception is logged with that ID, and the response is a problem document.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _ObservedRequest(scope, receive, send)
        try:
            await self._app(scope, request.receive, request.send)
        except ClientDisconnect:
            self._metrics.client_disconnects.inc()
        except ResponseAborted as reason:
            _logger.warning("request %s: the response was aborted: %s", request.id, reason)
        except asyncio.CancelledError:
            if request.status is not None:
                raise
            # The shutdown waits no longer; uvicorn itself would respond with 500.
            late = ProblemResponse(DRAINING, "the response was not ready before the shutdown", _LAST)
            await late(scope, request.receive, request.send)
        except Exception:
            _logger.exception("request %s failed", request.id)
            if request.status is None:
                response = ProblemResponse(INTERNAL, f"the service failed; see request {request.id} in its log")
                await response(scope, request.receive, request.send)
        self._count(request)
        level = logging.INFO if request.is_logged else logging.DEBUG
        _logger.log(level, "request", extra={FIELDS: request.fields()})

    def _count(self, request: "_ObservedRequest") -> None:
        if request.status is not None:
            self._metrics.requests.labels(request.method, request.route, request.status).inc()
            self._metrics.request_seconds.labels(request.route).observe(request.seconds)
        if request.problem is not None and request.is_logged:
            self._metrics.refusals.labels(request.problem.slug).inc()


class _ObservedRequest:
    """One request, and the bytes received and sent."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self.id = _request_id(headers.get("x-request-id"))
        self.status: int | None = None
        self._scope = scope
        self._state = scope.setdefault("state", {})
        self._receive = receive
        self._send = send
        self._trace_id = trace_id(headers)
        self._is_traced = False
        self._started = time.perf_counter()
        self._received_bytes = 0
        self._sent_bytes = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._received_bytes += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-ID"] = self.id
        self._sent_bytes += len(message.get("body", b""))
        if self.response is not None and not self._is_traced:
            # The request's span ends with the message that ends the response.
            self._is_traced = True
            trace_response(self.response, self.id)
        await self._send(message)

    @property
    def method(self) -> str:
        """The HTTP method, or ``other``: clients can invent methods, and each would add a series."""
        method: str = self._scope["method"]
        return method if method in HTTPMethod.__members__ else "other"

    @property
    def route(self) -> str:
        route: str = getattr(self._scope.get("route"), "path", "unmatched")
        return route

    @property
    def is_logged(self) -> bool:
        """Probes, which are frequent, are logged only when refused (401, 403)."""
        return self.route not in PROBES or self.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._started

    @property
    def problem(self) -> Problem | None:
        """The problem that the request ended in, if any."""
        problem: Problem | None = self._state.get("problem")
        return problem

    @property
    def response(self) -> EncodedResponse | None:
        """The segmentation, as soon as it is complete."""
        admission: Admission | None = self._state.get("admission")
        return None if admission is None else admission.response

    def fields(self) -> dict[str, object]:
        """The fields of the request's log line, as far as they are known."""
        fields: dict[str, object] = {
            "id": self.id,
            "client": self._state.get("client"),
            "address": client[0][:_MAX_LOGGED_PATH] if (client := self._scope.get("client")) else None,
            "method": self.method,
            "path": self._scope["raw_path"].decode("latin-1")[:_MAX_LOGGED_PATH],
            "status": self.status,
            "problem": None if self.problem is None else self.problem.slug,
            "seconds": round(self.seconds, 4),
            "bytes_in": self._received_bytes,
            "bytes_out": self._sent_bytes,
            "trace_id": self._trace_id,
        }
        if self.response is not None:
            fields["pixels"] = self.response.pixels
            fields["stages"] = {stage: round(seconds, 4) for stage, seconds in self.response.stages.items()}
            fields["digest"] = self.response.digest
        return {name: value for name, value in fields.items() if value is not None or name == "status"}


def _request_id(proposed: str | None) -> str:
    return proposed if proposed and _SAFE_ID.fullmatch(proposed) else uuid.uuid4().hex
