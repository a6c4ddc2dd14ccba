"""Resource limits of a decoder for an image: estimated from its header, enforced by the operating system."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from app.images.decode import Header

_OVERHEAD_BYTES = 8 << 20
"""Bytes that a decoder needs for any image."""

_FILES = 5
"""Copies of the file held at once while it is read: the received one, one made by some decoders, metadata."""

_BYTES_PER_PIXEL: Mapping[str, tuple[int, int, int]] = {
    "JPEG": (5, 8, 8),
    "MPO": (5, 8, 8),
    "PNG": (6, 8, 8),
    "BMP": (6, 8, 8),
    "GIF": (6, 8, 8),
    "TIFF": (6, 9, 9),
    "WEBP": (17, 17, 17),
    "AVIF": (8, 15, 17),
    "HEIF": (6, 11, 13),
}
"""Bytes per pixel at the peak of decoding, the result included: for grey and palette images, colour, and all others.

Measured with Pillow 13 and pillow-heif 1.8. Pillow itself holds 4 bytes per pixel, except for grey and palette images.
"""

_BYTES_PER_COSTLY_PIXEL: Mapping[str, tuple[int, int, int]] = {
    **_BYTES_PER_PIXEL,
    "JPEG": (7, 11, 13),
    "MPO": (7, 11, 13),
    "HEIF": (7, 17, 23),
}

_GREY = ("1", "L", "P", "I;16", "I;16L", "I;16B", "I;16N")
_COLOR = ("RGB", "YCbCr", "LAB", "HSV")

_ADDRESS_BYTES = 64 << 20
_ADDRESS_BYTES_PER_PIXEL = 3
"""Address space in bytes that is allocated but not used at the peak: thread stacks, the result."""

_WEBP_BYTES_PER_PIXEL = 8
"""Address space in bytes per pixel that WebP's decoder allocates when it opens a file, and uses only to decode it."""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """CPU seconds that an image may take.

    Attributes:
        header_s: seconds to read its header.
        image_s: fixed seconds to decode an image of any size.
        megapixel_s: additional seconds per million pixels; the slowest formats take 0.06.
        wall_clock_factor: wall-clock seconds allowed per CPU second, since other programs may use the processors.
    """

    header_s: int = 2
    image_s: int = 5
    megapixel_s: float = 0.25
    wall_clock_factor: int = 5


DEFAULT_TIME_LIMITS = TimeLimits()


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """Limits of a decoder for one file.

    Attributes:
        memory_bytes: address space that the decoder may allocate.
        processor_s: CPU seconds.
        timeout_s: wall-clock seconds.
    """

    memory_bytes: int
    processor_s: int
    timeout_s: int


class DecoderDiedError(Exception):
    """A decoder ended before it answered; the message names the signal or exit code."""


class DecoderTimeoutError(Exception):
    """A decoder exceeded its time limit, which the message names, and was ended."""


def decoding_bytes(header: Header, file_bytes: int) -> int:
    """Estimated peak memory of decoding in bytes, including the file and the result."""
    kind = 0 if header.mode in _GREY else 1 if header.mode in _COLOR else 2
    bytes_per_pixel = _BYTES_PER_COSTLY_PIXEL if header.is_costly else _BYTES_PER_PIXEL
    return header_bytes(file_bytes) + header.pixels * (bytes_per_pixel[header.format][kind] + header.extra_bytes)


def header_bytes(file_bytes: int) -> int:
    """Estimated peak memory of reading a header in bytes. It grows with the file, which can be nearly all header."""
    return _OVERHEAD_BYTES + _FILES * file_bytes


def header_limits(data: bytes, max_pixels: int, limits: TimeLimits) -> ResourceLimits:
    """Limits for reading the header of a file."""
    canvas_bytes = _WEBP_BYTES_PER_PIXEL * max_pixels if data[8:12] == b"WEBP" else 0
    memory_bytes = header_bytes(len(data)) + canvas_bytes
    return ResourceLimits(_ADDRESS_BYTES + memory_bytes, limits.header_s, limits.header_s * limits.wall_clock_factor)


def decoding_limits(header: Header, file_bytes: int, limits: TimeLimits) -> ResourceLimits:
    """Limits for decoding a file."""
    memory_bytes = decoding_bytes(header, file_bytes) + header.pixels * _ADDRESS_BYTES_PER_PIXEL
    processor_s = limits.image_s + math.ceil(limits.megapixel_s * header.pixels / 1_000_000)
    return ResourceLimits(_ADDRESS_BYTES + memory_bytes, processor_s, processor_s * limits.wall_clock_factor)
