"""From a request's body to the bytes of the image in it, within bounds of size and time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect
from starlette.types import Message

from app.problems import (
    BODY_MALFORMED,
    BODY_TOO_LARGE,
    INVALID_REQUEST,
    UNSUPPORTED_FORMAT,
    UPLOAD_TIMEOUT,
    ProblemError,
)

FIELD = "image"
"""Name of the multipart field."""

FORM_BYTES = 64 * 1024
"""Of boundaries and part headers that a multipart body may have beside the image."""

_DISCARD_S = 2.0


class _InMemoryParser(MultiPartParser):
    """Bodies are bounded, so they need no file; the service runs without a writable disk."""

    spool_max_size = 2**40

    @property
    def is_cut_off(self) -> bool:
        """Whether a file began and did not end."""
        whole = sum(isinstance(value, UploadFile) for _, value in self.items)
        return len(self._files_to_close_on_error) > whole

    def close(self) -> None:
        """Free the files, those of parts that did not end among them."""
        for file in self._files_to_close_on_error:
            file.close()


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Bounds of a body.

    Attributes:
        max_bytes: of the image.
        timeout_s: for all of it.
        idle_timeout_s: from one part to the next.
    """

    max_bytes: int
    timeout_s: float
    idle_timeout_s: float


def announced_bytes(request: Request) -> int:
    """The length of a body, as its head tells; 0 if it does not."""
    announced = request.headers.get("content-length", "")
    return int(announced) if announced.isdigit() else 0


async def read_image_bytes(request: Request, limits: UploadLimits, hold: Callable[[int], None]) -> bytes:
    """The image in a body: the raw body, or the multipart field ``image``.

    Args:
        request: whose body has not been read.
        limits: of the body.
        hold: is told the bytes of each part that has arrived; raises ProblemError if there is no memory for them.

    Raises:
        ProblemError: the body is too large, too slow, malformed, of another type, or has no such field.
    """
    told, parameters = parse_options_header(request.headers.get("content-type"))
    content_type = told.decode("latin-1").lower()
    async with in_time(limits):
        if content_type == "multipart/form-data":
            return await _read_multipart(request, parameters.get(b"boundary"), limits, hold)
        if content_type.startswith("image/") or content_type in ("", "application/octet-stream"):
            return b"".join([chunk async for chunk in bounded(request, limits, hold)])
    raise ProblemError(
        UNSUPPORTED_FORMAT,
        f"Content-Type {content_type[:100]} is not read; send multipart/form-data with a field {FIELD}, "
        "or the image itself as image/* or application/octet-stream",
    )


async def _read_multipart(
    request: Request, boundary: bytes | None, limits: UploadLimits, hold: Callable[[int], None]
) -> bytes:
    body = bounded(request, limits, hold, FORM_BYTES)
    parser = _InMemoryParser(_with_boundary_alone(boundary), body, max_files=1, max_fields=8)
    with closing(parser):
        try:
            form = await parser.parse()
        except MultiPartException as error:
            raise ProblemError(BODY_MALFORMED, f"the multipart body cannot be parsed: {error}") from error
        if parser.is_cut_off:
            raise ProblemError(BODY_MALFORMED, "the multipart body ends before its file does")
        upload = form.get(FIELD)
        if not isinstance(upload, UploadFile):
            fault = "is missing" if upload is None else "is text, not a file"
            raise ProblemError(INVALID_REQUEST, f"the multipart field {FIELD} {fault}")
        data = await upload.read()
    if len(data) > limits.max_bytes:
        raise _too_large(limits.max_bytes)
    return data


def _with_boundary_alone(boundary: bytes | None) -> Headers:
    """The type of a form without its charset: some of those that Python knows take minutes to decode a field, and each
    that it does not know it remembers.
    """
    told = "" if boundary is None else f'; boundary="{boundary.decode("latin-1")}"'
    return Headers({"content-type": f"multipart/form-data{told}"})


@asynccontextmanager
async def in_time(limits: UploadLimits) -> AsyncIterator[None]:
    """Inside, a body is read.

    Raises:
        ProblemError: it takes too long.
    """
    try:
        async with asyncio.timeout(limits.timeout_s):
            yield
    except TimeoutError as error:
        raise _too_slow(f"the body did not arrive within {limits.timeout_s:g} s") from error


async def bounded(
    request: Request, limits: UploadLimits, hold: Callable[[int], None], beside_bytes: int = 0
) -> AsyncGenerator[bytes, None]:
    """The body's chunks; stops as soon as they, or the length announced, are more than allowed.

    Args:
        request: whose body has not been read.
        limits: of the image's bytes, and of the time from one part to the next.
        hold: is told the bytes of each part.
        beside_bytes: that the body may have beside the image.

    Raises:
        ProblemError: the body is too large, too slow, or there is no memory for it.
    """
    max_bytes = limits.max_bytes + beside_bytes
    if announced_bytes(request) > max_bytes:
        await _discard(request)
        raise _too_large(limits.max_bytes)
    received, more = 0, True
    while more:
        message = await _next_part(request, limits.idle_timeout_s)
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk, more = message.get("body", b""), message.get("more_body", False)
        received += len(chunk)
        if received > max_bytes:
            if more:
                await _discard(request)
            raise _too_large(limits.max_bytes)
        hold(len(chunk))
        yield chunk


async def _next_part(request: Request, idle_timeout_s: float) -> Message:
    deadline = asyncio.timeout(idle_timeout_s)
    try:
        async with deadline:
            return await request.receive()
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise _too_slow(f"nothing of the body arrived for {idle_timeout_s:g} s") from error


async def _discard(request: Request) -> None:
    """Let a client finish sending, for a while: many read the answer only then, and see a reset connection before."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_S):
            while (await request.receive()).get("more_body", False):
                pass


def _too_slow(detail: str) -> ProblemError:
    return ProblemError(UPLOAD_TIMEOUT, detail, {"Connection": "close"})


def _too_large(max_bytes: int) -> ProblemError:
    # What is left of the body would be taken for the next request.
    return ProblemError(
        BODY_TOO_LARGE, f"the image has more than the {max_bytes} bytes allowed", {"Connection": "close"}
    )
