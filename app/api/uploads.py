"""Reads the image from a request's body, within limits of size and time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect
from starlette.types import Message

from app.api.forms import FormError, parse_form
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
"""Maximum bytes of a form's boundaries, headers and other fields, besides the image."""

_CHARSET_FIELD = "_charset_"
"""Field in which browsers name the encoding of the form's text (RFC 7578, 4.6)."""

_VALUE_BYTES = 1 << 10
"""Maximum bytes read of a field's value; no parameter has a longer value."""

_NAME_CHARACTERS = 100

_DISCARD_S = 2.0
"""Maximum seconds spent on reading the rest of a refused body."""


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Limits on a body.

    Attributes:
        max_bytes: maximum bytes of the image.
        timeout_s: maximum seconds for the whole body.
        idle_timeout_s: maximum seconds between two chunks.
    """

    max_bytes: int
    timeout_s: float
    idle_timeout_s: float


def announced_bytes(request: Request) -> int:
    """Content-Length of a request; 0 if there is none."""
    announced = request.headers.get("content-length", "")
    return int(announced) if announced.isdigit() else 0


@dataclass(frozen=True, slots=True)
class Upload:
    """The contents of a body.

    Attributes:
        image: bytes of the image file.
        fields: a form's other fields, by name.
    """

    image: bytes
    fields: Mapping[str, str]


async def read_upload(request: Request, limits: UploadLimits, reserve: Callable[[int], None]) -> Upload:
    """Read the image, which is the raw body or the multipart field ``image``, and the other fields.

    Args:
        request: a request whose body has not been read.
        limits: limits on the body.
        reserve: called with the size of each chunk that has arrived; raises ProblemError if there is no memory for it.

    Raises:
        ProblemError: the body is too large, too slow, malformed, of another type, or has no such field.
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        detail = f"Content-Encoding {encoding[:100]} is not supported here; send the body uncompressed"
        raise ProblemError(UNSUPPORTED_FORMAT, detail, {"Accept-Encoding": "identity"})
    told, parameters = parse_options_header(request.headers.get("content-type"))
    content_type = told.decode("latin-1").lower()
    async with upload_timeout(limits):
        if content_type == "multipart/form-data":
            body = b"".join([chunk async for chunk in limited_body(request, limits, reserve, FORM_BYTES)])
            return _upload(body, parameters.get(b"boundary", b""), limits)
        if content_type.startswith("image/") or content_type in ("", "application/octet-stream"):
            return Upload(b"".join([chunk async for chunk in limited_body(request, limits, reserve)]), {})
    raise ProblemError(
        UNSUPPORTED_FORMAT,
        f"Content-Type {content_type[:100]} is not supported; send multipart/form-data with a field {FIELD}, "
        "or the image itself as image/* or application/octet-stream",
    )


def _upload(body: bytes, boundary: bytes, limits: UploadLimits) -> Upload:
    image, fields = None, {}
    try:
        for part in parse_form(body, boundary):
            if part.name in fields or (part.name == FIELD and image is not None):
                name = part.name[:_NAME_CHARACTERS]
                raise ProblemError(INVALID_REQUEST, f"the form has more than one field {name}")
            if part.name == FIELD:
                image = part.data
            else:
                fields[part.name] = part.data.strip()[:_VALUE_BYTES].decode(errors="replace")
    except FormError as error:
        raise ProblemError(BODY_MALFORMED, f"the multipart body cannot be parsed: {error}") from error
    if image is None:
        there = ", ".join(name[:_NAME_CHARACTERS] for name in fields)
        detail = f"the multipart field {FIELD} is missing" + (f"; the form has {there}" if there else "")
        raise ProblemError(INVALID_REQUEST, detail)
    if len(image) > limits.max_bytes:
        raise _too_large(FIELD, limits.max_bytes)
    fields.pop(_CHARSET_FIELD, None)
    return Upload(image, fields)


@asynccontextmanager
async def upload_timeout(limits: UploadLimits) -> AsyncIterator[None]:
    """Limit the time for reading a body.

    Raises:
        ProblemError: reading takes too long.
    """
    try:
        async with asyncio.timeout(limits.timeout_s):
            yield
    except TimeoutError as error:
        raise _too_slow(f"the body did not arrive within {limits.timeout_s:g} s") from error


async def limited_body(
    request: Request, limits: UploadLimits, reserve: Callable[[int], None], beside_bytes: int = 0
) -> AsyncGenerator[bytes, None]:
    """Yield the body's chunks; stop as soon as they, or the Content-Length, exceed the limit.

    Args:
        request: a request whose body has not been read.
        limits: limits on the image's bytes, and on the time between chunks.
        reserve: called with the size of each chunk.
        beside_bytes: bytes that the body may have besides the image.

    Raises:
        ProblemError: the body is too large, too slow, or there is no memory for it.
    """
    max_bytes = limits.max_bytes + beside_bytes
    if announced_bytes(request) > max_bytes:
        await _discard(request)
        raise _too_large("body", max_bytes)
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
            raise _too_large("body", max_bytes)
        reserve(len(chunk))
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
    """Let the client go on sending for a while: many clients read the response only after sending, and would otherwise
    see a reset connection.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_S):
            while (await request.receive()).get("more_body", False):
                pass


def _too_slow(detail: str) -> ProblemError:
    return ProblemError(UPLOAD_TIMEOUT, detail, is_last=True)


def _too_large(what: str, max_bytes: int) -> ProblemError:
    # The rest of the body would be parsed as the next request.
    return ProblemError(BODY_TOO_LARGE, f"the {what} has more than the {max_bytes} bytes allowed", is_last=True)
