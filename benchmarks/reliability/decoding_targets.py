"""Fuzzing targets: functions that read untrusted bytes and must return, whatever the bytes are."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BytesIO

import numpy as np
from fastapi import Request
from numpy.typing import NDArray
from starlette.types import Message

from app.api.uploads import UploadLimits
from app.api.uploads import read_upload as read_body
from app.images.decode import blank, decode_image, read_header
from app.images.limits import TimeLimits, decoding_limits, header_limits
from app.images.worker import limited
from app.problems import IMAGE_DAMAGED, ProblemError

_MAX_PIXELS = 1_000_000
_TIME_LIMITS = TimeLimits(header_s=60, image_s=60)
"""Time limits of decoding, above libFuzzer's: only libFuzzer's keeps the input."""

_UPLOAD_LIMITS = UploadLimits(max_bytes=1 << 16, timeout_s=60, idle_timeout_s=60)


def read_image(data: bytes) -> None:
    """Read a header, and the pixels unless there are too many, within the memory limits of a decoder process."""
    with suppress(ProblemError, MemoryError):
        with limited(header_limits(data, _MAX_PIXELS, _TIME_LIMITS)):
            header = read_header(BytesIO(data), _MAX_PIXELS)
        if header.pixels <= _MAX_PIXELS:
            with limited(decoding_limits(header, len(data), _TIME_LIMITS)):
                decode_image(BytesIO(data), _allocator(header.pixels))


def read_upload(data: bytes) -> None:
    """Read a request body, given after a line with its media type; it arrives in two messages."""
    content_type, _, body = data.partition(b"\n")
    parts = [body[: len(body) // 2], body[len(body) // 2 :]]

    async def receive() -> Message:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    scope = {"type": "http", "method": "POST", "path": "/segment", "headers": [(b"content-type", content_type)]}
    with suppress(ProblemError):
        asyncio.run(read_body(Request(scope, receive), _UPLOAD_LIMITS, lambda _: None))


TARGETS: Mapping[str, Callable[[bytes], None]] = {"images": read_image, "uploads": read_upload}
"""Name -> target."""


def _allocator(pixels: int) -> Callable[[int, int], NDArray[np.uint8]]:
    def allocate(height: int, width: int) -> NDArray[np.uint8]:
        if height * width > pixels:
            raise ProblemError(IMAGE_DAMAGED, "the image is larger than its header says")
        return blank(height, width)

    return allocate
