"""Image files for tests."""

import struct
import zlib
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""(first row, first column, row step, column step) of each pass of an interlaced PNG."""


def encoded(picture: Image.Image, file_format: str, **options: object) -> bytes:
    """Encode a picture as the bytes of a file."""
    buffer = BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


Chunk = tuple[bytes, bytes]
"""Name and data of a PNG chunk."""


def png(width: int, height: int, bits: int, color_type: int, rows: list[bytes], *before: Chunk) -> bytes:
    """A PNG of unfiltered rows of bytes, with additional chunks before the pixels."""
    return _png((width, height, bits, color_type, 0, 0, 0), rows, before)


def interlaced_png(samples: NDArray[np.integer], bits: int, color_type: int, *before: Chunk) -> bytes:
    """An interlaced PNG of samples, (height, width, channels), which Pillow reads but does not write."""
    height, width = samples.shape[:2]
    passes = [samples[top::down, left::across] for top, left, down, across in _PASSES]
    rows = [packed_samples(row, bits) for one in passes if one.size for row in one]
    return _png((width, height, bits, color_type, 0, 0, 1), rows, before)


def packed_samples(samples: NDArray[np.integer], bits: int) -> bytes:
    """Pack a row's samples into bits, most significant first, padded to a byte."""
    ones = samples.ravel()[:, None] >> np.arange(bits)[::-1] & 1
    return np.packbits(ones.astype(np.uint8)).tobytes()


def _png(head: tuple[int, ...], rows: list[bytes], before: tuple[Chunk, ...]) -> bytes:
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", *head)), *before, (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
