"""``POST /segment``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app import problems
from app.access.keys import KeyScope
from app.access.requirements import limit_rate, require
from app.dependencies import ServiceDependency, SettingsDependency
from app.negotiation import negotiate
from app.openapi import problem_responses
from app.scheduling.jobs import Answer, Job
from app.scheduling.options import Options
from app.schemas import SegmentationDocument, SegmentQuery
from app.uploads import FIELD, UploadLimits, announced_bytes, read_image_bytes

router = APIRouter(tags=["segmentation"])

DIGEST_HEADER = "X-Checkpoint-SHA256"

_SLICE_BYTES = 1 << 16

_BINARY = {"type": "string", "format": "binary"}
_IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/avif", "image/heic", "application/octet-stream")

_REQUEST_BODY = {
    "required": True,
    "description": "The image: a form with a file, or the bytes themselves.",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {
                    FIELD: {**_BINARY, "description": "JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF or HEIC file."}
                },
            }
        },
        **{media_type: {"schema": _BINARY} for media_type in _IMAGE_TYPES},
    },
}

_HEADERS = {
    "X-Request-ID": {"description": "The request's ID.", "schema": {"type": "string"}},
    DIGEST_HEADER: {"description": "SHA-256 of the weights file that made the mask.", "schema": {"type": "string"}},
    "Server-Timing": {
        "description": "Milliseconds of each stage; not of a large image's PNG, which is sent while it is being made.",
        "schema": {"type": "string"},
    },
}

_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The class of every pixel.",
        "model": SegmentationDocument,
        "headers": _HEADERS,
        "content": {
            "image/png": {"schema": _BINARY},
            "application/json": {
                "example": {
                    "width": 4,
                    "height": 2,
                    "checkpoint": "5f0c6e4b9a7d",
                    "classes": [
                        {"index": 0, "name": "background", "color": [0, 0, 0], "pixels": 5, "fraction": 0.625},
                        {"index": 8, "name": "cat", "color": [64, 0, 0], "pixels": 3, "fraction": 0.375},
                    ],
                    "mask": [[0, 0, 8, 8], [0, 0, 0, 8]],
                }
            },
        },
    },
    **problem_responses(
        problems.BODY_MALFORMED,
        problems.NOT_AN_IMAGE,
        problems.IMAGE_DAMAGED,
        problems.UNAUTHORIZED,
        problems.FORBIDDEN,
        problems.NOT_ACCEPTABLE,
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
    ),
}


@router.post(
    "/segment",
    summary="Segment an image",
    response_class=Response,
    responses=_RESPONSES,
    dependencies=[require(KeyScope.SEGMENT), limit_rate()],
    openapi_extra={"requestBody": _REQUEST_BODY},
)
async def segment(
    request: Request,
    query: Annotated[SegmentQuery, Query()],
    settings: SettingsDependency,
    service: ServiceDependency,
) -> Response:
    """The class of every pixel of an image of any size, as a PNG in the classes' colours or as JSON.

    EXIF orientation is applied; transparency is composited on white; of animations the first frame is taken.

    A large image's PNG is sent while it is being made. If that fails on the way the connection is closed before the
    end of the body, and the file lacks its last chunk, `IEND`.
    """
    output = query.format or negotiate(request.headers.get("accept"))
    limits = UploadLimits(settings.max_upload_bytes, settings.upload_timeout_s, settings.upload_idle_timeout_s)
    with ExitStack() as stack:
        request.state.place = place = stack.enter_context(service.admit(announced_bytes(request)))
        data = await read_image_bytes(request, limits, partial(service.hold, place))
        options = Options(output, query.mask, query.tiling, query.alpha)
        job = Job(data, options, service.segmenter, settings.max_pixels)
        del data
        gone = asyncio.create_task(_wait_until_gone(request))
        stack.callback(gone.cancel)
        answer = await service.run(job, place, gone)
        if answer is None:
            return Response(status_code=499)
        headers = {DIGEST_HEADER: job.segmenter.checkpoint.digest, "Vary": "Accept"}
        if isinstance(answer, Answer):
            headers |= {"Server-Timing": _server_timing(answer), "Content-Length": str(len(answer.body))}
            answer = _slices(answer.body)
        return _PartsResponse(answer, headers, output.media_type, stack.pop_all())


class _PartsResponse(StreamingResponse):
    """Sends parts as they come; closes ``stack`` when they are all sent, or can't be."""

    def __init__(self, parts: AsyncIterator[bytes], headers: dict[str, str], media_type: str, stack: ExitStack) -> None:
        super().__init__(parts, headers=headers, media_type=media_type)
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI's signature)
        # Unlike the method it replaces it does not wait for the client to go: the parts end when it does.
        with self._stack:
            await self.stream_response(send)


async def _slices(body: bytes) -> AsyncIterator[bytes]:
    """Sending one waits until the client has read those before: the rest is not copied until then."""
    for start in range(0, len(body), _SLICE_BYTES):
        yield body[start : start + _SLICE_BYTES]


def _server_timing(answer: Answer) -> str:
    return ", ".join(f"{stage};dur={seconds * 1000:.2f}" for stage, seconds in answer.stages.items())


async def _wait_until_gone(request: Request) -> None:
    """Returns when the client has closed its connection; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
