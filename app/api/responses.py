"""From a request to its response: computed while the client waits, sent as the client reads."""

import asyncio
from contextlib import ExitStack

from fastapi import Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app import problems
from app.api.schemas import PRECISION_SCHEMA
from app.pipeline.admission import Admission
from app.pipeline.request import EncodedResponse, SegmentRequest
from app.pipeline.segmented import Segmented
from app.pipeline.service import Service

DIGEST_HEADER = "X-Checkpoint-SHA256"
PRECISION_HEADER = "X-Segmentation-Precision"

HEADERS = {
    "X-Request-ID": {"description": "The request's ID.", "schema": {"type": "string"}},
    DIGEST_HEADER: {"description": "SHA-256 of the weights file that made the mask.", "schema": {"type": "string"}},
    PRECISION_HEADER: {
        "description": "Type that the mask was computed in.",
        "schema": PRECISION_SCHEMA,
    },
    "Server-Timing": {
        "description": "Milliseconds per stage; absent from a large image's PNG, which is streamed.",
        "schema": {"type": "string"},
    },
}
"""Headers of every segmentation response, as OpenAPI header objects."""

PROBLEMS = (
    problems.BODY_MALFORMED,
    problems.NOT_AN_IMAGE,
    problems.IMAGE_DAMAGED,
    problems.UNAUTHORIZED,
    problems.FORBIDDEN,
    problems.UPLOAD_TIMEOUT,
    problems.BODY_TOO_LARGE,
    problems.UNSUPPORTED_FORMAT,
    problems.INVALID_REQUEST,
    problems.TOO_MANY_PIXELS,
    problems.TOO_COSTLY,
    problems.TILING_IMPOSSIBLE,
    problems.QUEUE_FULL,
    problems.RATE_LIMITED,
    problems.NOT_READY,
    problems.DRAINING,
    problems.OUT_OF_MEMORY,
    problems.DEVICE_FAILED,
    problems.DEADLINE,
)
"""Problems that any segmentation request may get."""


async def respond(
    request: Request, service: Service, wanted: SegmentRequest, admission: Admission, stack: ExitStack
) -> Response:
    """Segment an image, and respond to its request.

    Args:
        request: a request whose body has been read.
        service: the service that segments the image.
        wanted: the image and its parameters.
        admission: the request's admission.
        stack: closed when the response has been sent or aborted; by the caller if this function raises.

    Raises:
        ProblemError, TilingError: the image cannot be segmented, or not in time.
    """
    gone = asyncio.create_task(_wait_until_gone(request))
    stack.callback(gone.cancel)
    segmented = await service.run(wanted, admission, gone)
    if segmented is None:
        return Response(status_code=499)
    segmenter = wanted.segmenter
    headers = {DIGEST_HEADER: segmenter.checkpoint.digest, PRECISION_HEADER: str(segmenter.precision)}
    if (complete := segmented.complete) is not None:
        headers |= {"Server-Timing": _server_timing(complete), "Content-Length": str(len(complete.body))}
    return _SegmentedResponse(segmented, headers, wanted.output.media_type, stack.pop_all())


class _SegmentedResponse(StreamingResponse):
    """Sends chunks as they become known; closes ``stack`` when all are sent, or sending fails."""

    def __init__(self, segmented: Segmented, headers: dict[str, str], media_type: str, stack: ExitStack) -> None:
        super().__init__(segmented.chunks, headers=headers, media_type=media_type)
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI's signature)
        # Unlike the method it replaces, it does not listen for a disconnect: the chunks end when the client goes.
        with self._stack:
            await self.stream_response(send)


def _server_timing(complete: EncodedResponse) -> str:
    return ", ".join(f"{stage};dur={seconds * 1000:.2f}" for stage, seconds in complete.stages.items())


async def _wait_until_gone(request: Request) -> None:
    """Return when the client has closed its connection; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
