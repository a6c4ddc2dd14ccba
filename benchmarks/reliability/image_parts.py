"""Splitting an image file into its chunks, segments or boxes."""

import re
import zlib
from collections.abc import Callable

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_JPEG_MARKER = re.compile(rb"(?=\xff[\xc0-\xcf\xd8-\xfe])")
_GIF_BLOCK = re.compile(rb"(?=[!,;])")
_TIFF_HEAD_BYTES, _TIFF_ENTRY_BYTES = 10, 12


def parts(data: bytes) -> list[bytes]:
    """Split a file where its parts begin, as far as that can be recognised; joined, the parts are the file."""
    if data.startswith(PNG_SIGNATURE):
        return _walk(data, len(PNG_SIGNATURE), lambda head: 12 + int.from_bytes(head[:4], "big"))
    if data.startswith(b"RIFF"):
        return _walk(data, 12, lambda head: 8 + int.from_bytes(head[4:], "little") + head[4] % 2)
    if data[4:8] == b"ftyp":
        return _walk(data, 0, lambda head: int.from_bytes(head[:4], "big"))
    if data.startswith(b"\xff\xd8"):
        return _JPEG_MARKER.split(data)
    if data.startswith(b"GIF"):
        return _GIF_BLOCK.split(data)
    # A TIFF's directory comes first, if Pillow wrote it.
    return _walk(data, _TIFF_HEAD_BYTES, lambda _: _TIFF_ENTRY_BYTES)


def with_right_checksums(png: bytes) -> bytes:
    """Correct a PNG's checksums, so that its decoder reaches the other damage; return other files unchanged."""
    if not png.startswith(PNG_SIGNATURE):
        return png
    signature, *chunks = parts(png)
    return signature + b"".join(_with_right_checksum(chunk) for chunk in chunks)


def _with_right_checksum(chunk: bytes) -> bytes:
    return chunk[:-4] + zlib.crc32(chunk[4:-4]).to_bytes(4, "big")


def _walk(data: bytes, start: int, size_of: Callable[[bytes], int]) -> list[bytes]:
    """Split off the bytes before ``start``, then parts whose size ``size_of`` reads from their first eight bytes."""
    found = [data[:start]]
    while start < len(data):
        size = max(size_of(data[start : start + 8].ljust(8, b"\0")), 1)
        found.append(data[start : start + size])
        start += size
    return found
