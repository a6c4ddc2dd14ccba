"""Reads a request's body: JSON, optionally followed by bytes, optionally compressed."""

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from fastapi import Request

from app.api.uploads import UploadLimits, limited_body, upload_timeout
from app.problems import BODY_MALFORMED, BODY_TOO_LARGE, UNSUPPORTED_FORMAT, ProblemError

LENGTH_HEADER = "Inference-Header-Content-Length"

MAX_JSON_BYTES = 4 << 20
"""Maximum bytes of JSON, since parsing it holds the GIL; more data must be sent as bytes."""

_MAX_HEADER_BYTES = 1 << 16
"""Maximum bytes of the JSON in front of a tensor."""

_LENGTH_BYTES = 4
"""Size in bytes of the length in front of a file that is sent as bytes."""

_PIECE_BYTES = 1 << 20
"""Bytes inflated at a time before the event loop runs other tasks."""

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}

Reserve = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Body:
    """A body, split into its JSON and the bytes after it."""

    text: bytes
    binary: memoryview


async def read_body(request: Request, limits: UploadLimits, reserve: Reserve) -> Body:
    """Read a request's body.

    Args:
        request: a request whose body has not been read.
        limits: limits on the image's bytes, and on time.
        reserve: called with the size of each chunk; raises ProblemError if there is no memory for it.

    Raises:
        ProblemError: the body is too large or too slow, has an unsupported compression, or does not match its headers.
    """
    max_bytes = limits.max_bytes + _MAX_HEADER_BYTES
    async with upload_timeout(limits):
        chunks: AsyncIterator[bytes] = limited_body(request, limits, reserve, _MAX_HEADER_BYTES)
        encoding = request.headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity"):
            chunks = _inflated(chunks, _window_bits(encoding), max_bytes, reserve)
        data = b"".join([chunk async for chunk in chunks])
    body = _split(data, request.headers.get(LENGTH_HEADER))
    if len(body.binary) > limits.max_bytes + _LENGTH_BYTES:
        detail = f"the tensor has {len(body.binary)} bytes; {limits.max_bytes} are allowed"
        raise ProblemError(BODY_TOO_LARGE, detail)
    return body


def _split(data: bytes, announced: str | None) -> Body:
    json_bytes = len(data) if announced is None else _length(announced)
    if json_bytes > len(data):
        detail = f"{LENGTH_HEADER} is {json_bytes}; the body has {len(data)} bytes"
        raise ProblemError(BODY_MALFORMED, detail)
    if json_bytes > MAX_JSON_BYTES:
        detail = f"the JSON has {json_bytes} bytes; {MAX_JSON_BYTES} are allowed: send tensors as binary data"
        raise ProblemError(BODY_TOO_LARGE, detail)
    return Body(data[:json_bytes], memoryview(data)[json_bytes:])


def _length(announced: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", announced):
        raise ProblemError(BODY_MALFORMED, f"{LENGTH_HEADER} is not a number of bytes: {announced[:100]}")
    return int(announced)


def _window_bits(encoding: str) -> int:
    if encoding not in _WINDOW_BITS:
        raise ProblemError(
            UNSUPPORTED_FORMAT,
            f"Content-Encoding {encoding[:100]} is not supported; send gzip, deflate, or an uncompressed body",
            {"Accept-Encoding": "gzip, deflate"},
        )
    return _WINDOW_BITS[encoding]


async def _inflated(
    chunks: AsyncIterator[bytes], window_bits: int, max_bytes: int, reserve: Reserve
) -> AsyncIterator[bytes]:
    """Inflate chunks piece by piece; the limit on uncompressed bodies applies to the result."""
    inflater = zlib.decompressobj(window_bits)
    inflated_bytes = 0
    async for chunk in chunks:
        for piece in _pieces(inflater, chunk):
            inflated_bytes += len(piece)
            if inflated_bytes > max_bytes:
                detail = f"the body, inflated, has more than the {max_bytes} bytes allowed"
                raise ProblemError(BODY_TOO_LARGE, detail, is_last=True)
            reserve(len(piece))
            yield piece
            await asyncio.sleep(0)
    if not inflater.eof:
        raise _damaged("ends before its end")


def _pieces(inflater: "zlib._Decompress", chunk: bytes) -> Iterator[bytes]:
    rest, is_whole = chunk, False
    while not is_whole:
        if rest and inflater.eof:
            raise _damaged("goes on after its end")
        try:
            piece = inflater.decompress(rest, _PIECE_BYTES)
        except zlib.error as error:
            raise _damaged(f"cannot be read: {error}") from error
        yield piece
        rest = inflater.unconsumed_tail or inflater.unused_data
        # After a full piece, the inflater may hold more, even if it has consumed all input.
        is_whole = not rest and len(piece) < _PIECE_BYTES


def _damaged(how: str) -> ProblemError:
    # The rest of the body is not read.
    return ProblemError(BODY_MALFORMED, f"the compressed body {how}", is_last=True)
