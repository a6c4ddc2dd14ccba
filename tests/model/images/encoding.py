"""Image files for tests."""

import struct
import zlib
from io import BytesIO

from PIL import Image


def encoded(picture: Image.Image, file_format: str, **options: object) -> bytes:
    """A picture as a file."""
    buffer = BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def png(width: int, height: int, bits: int, color_type: int, rows: list[bytes], *before: tuple[bytes, bytes]) -> bytes:
    """Of rows of bytes, unfiltered; chunks (name, data) before the pixels."""
    head = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = ((b"IHDR", head), *before, (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
