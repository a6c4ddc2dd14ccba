"""The entry point: reads requests, and passes each to a live replica. Needs no PyTorch."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, aclosing
from typing import Any

from grpc import StatusCode
from grpc.aio import AioRpcError
from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import DeploymentUnavailableError, ReplicaUnavailableError, RequestCancelledError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.errors import ProblemResponse
from app.problems import NOT_READY, ProblemError
from deploy.ray.bodies import Bodies, BodyLimits
from deploy.ray.messages import BEAT_S, Head, HttpRequest, Parts
from deploy.ray.transcript import Transcript

_logger = logging.getLogger("ray.serve")

_DEATHS = 3
"""Number of replicas that may end while processing one request: the request may be the cause."""

_TAKE_S = 3.0
"""Seconds within which a replica with a responsive event loop acknowledges a request; then another one is tried."""

_SILENCE_S = 5 * BEAT_S
"""Seconds without a heartbeat after which a replica counts as gone; a machine without power or network closes no
connection."""

_GONE = (StatusCode.CANCELLED, StatusCode.INTERNAL, StatusCode.UNAVAILABLE)
"""gRPC status codes of calls whose replica has ended."""

_REFUSALS = (429, 503)
_PAUSE_S = 0.5
"""Seconds between two attempts at the same request."""

_RETRY_AFTER_S = 5
"""Seconds within which Ray starts another replica, on a machine that has the weights."""

_ID_HEADER = b"x-request-id"
"""Header that Ray's proxy sets in the request, where the service finds it, and again in the response."""


class Gateway:
    """Passes each request to a replica, and to another if that one dies; segmentation is idempotent.

    Args:
        segmentation: handle of the replicas.
        limits: limits of request bodies.
        patience_s: seconds to look for a replica that takes a request.
    """

    def __init__(self, segmentation: Any, limits: BodyLimits, patience_s: float) -> None:
        self._segmentation = segmentation
        self._patience_s = patience_s
        self._bodies = Bodies(limits)

    async def __call__(self, request: Request) -> Response:
        with ExitStack() as stack:
            try:
                body = stack.enter_context(self._bodies.room())
                whole = HttpRequest.of(request.scope, await body.read(request))
                parts = Exchange(self._segmentation, whole, self._patience_s).parts()
                head = await anext(parts)
            except ProblemError as error:
                return ProblemResponse.of(error)
            assert isinstance(head, Head)
            return _PassedOn(head, parts, stack.pop_all())


class Exchange:
    """One request, and its response from as many replicas as necessary.

    Args:
        segmentation: handle of the replicas.
        request: request to pass on.
        patience_s: seconds to look for a replica that takes it.
    """

    def __init__(self, segmentation: Any, request: HttpRequest, patience_s: float) -> None:
        self._segmentation = segmentation
        self._request = request
        self._patience_s = patience_s
        self._transcript = Transcript()

    async def parts(self) -> AsyncGenerator[Head | bytes]:
        """Yield the response's head, then its body.

        Raises:
            ProblemError: no live replica can respond.
            DifferentAnswerError: the replica that continues the response gives a different one.
        """
        deaths, patient_until = 0, time.monotonic() + self._patience_s
        while deaths < _DEATHS and time.monotonic() < patient_until:
            self._transcript.begin_again()
            try:
                async for part in self._ask(was_accepted=deaths > 0):
                    if (news := self._transcript.news(part)) is not None:
                        yield news
                self._transcript.end()
                return
            except _NotTakenError:
                _logger.warning("no replica accepted the request")
                await asyncio.sleep(_PAUSE_S)
            except DeploymentUnavailableError:
                break
            except (RayError, ReplicaUnavailableError, AioRpcError, _SilentError) as error:
                if not _is_end(error):
                    raise
                deaths, patient_until = deaths + 1, time.monotonic() + self._patience_s
                _logger.warning("a replica ended while processing a request: %s", str(error).partition("\n")[0])
        reason = f"{deaths} replicas ended while processing the request" if deaths else "no replica takes requests now"
        detail = f"{reason}; try again in {_RETRY_AFTER_S} s"
        raise ProblemError(NOT_READY, detail, {"Retry-After": str(_RETRY_AFTER_S)})

    async def _ask(self, *, was_accepted: bool) -> AsyncGenerator[Head | bytes]:
        """Yield one replica's response; a refusal is not passed on if a replica that died had accepted the request."""
        # Over gRPC. With Ray's own calls, a replica that streams a response to a gateway whose node dies would block,
        # with all its requests, until Ray notices: some fifteen seconds (Ray 2.60, docs/log.md).
        answer = self._segmentation.options(stream=True, _by_reference=False).answer.remote(self._request)
        try:
            await _within(_TAKE_S, answer, _NotTakenError)
            while (parts := await _within(_SILENCE_S, answer, _SilentError)) is not None:
                for part in parts:
                    if was_accepted and isinstance(part, Head) and part.status in _REFUSALS:
                        raise _NotTakenError
                    yield part
        except BaseException:
            answer.cancel()
            raise


class _NotTakenError(Exception):
    """No replica has acknowledged the request."""


class _SilentError(Exception):
    """A replica that has acknowledged the request sends no more heartbeats."""

    def __str__(self) -> str:
        return f"it has sent nothing for {_SILENCE_S:g} s"


def _is_end(error: Exception) -> bool:
    """Whether an error means that a replica ended, rather than that the application failed."""
    if isinstance(error, AioRpcError):
        return error.code() in _GONE
    return not isinstance(error, (RayTaskError, RequestCancelledError))


async def _within(limit_s: float, answer: AsyncIterator[Parts], late: type[Exception]) -> Parts | None:
    """Next parts of a response, None if there are no more; raises ``late`` after ``limit_s`` seconds."""
    try:
        async with asyncio.timeout(limit_s):
            return await anext(answer, None)
    except TimeoutError as error:
        raise late from error


class _PassedOn(Response):
    """A replica's response, passed on unchanged; closes ``stack`` when sending ends or fails."""

    def __init__(self, head: Head, parts: AsyncGenerator[Head | bytes], stack: ExitStack) -> None:
        super().__init__(status_code=head.status)
        self.raw_headers = [(name, value) for name, value in head.headers if name != _ID_HEADER]
        self._parts = parts
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI's signature)
        with self._stack:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async with aclosing(self._parts) as parts:
                async for part in parts:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
