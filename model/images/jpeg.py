"""JPEG files: unsupported coding processes, and scans that end before the picture is complete."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from zlib import crc32

from PIL import Image

from model.errors import ImageDamagedError, UnsupportedImageError

_BASELINE, _EXTENDED, _ARITHMETIC = 0xC0, 0xC1, 0xC9
_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
_HIERARCHICAL = {0xC5, 0xC6, 0xCD, 0xCE}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_LS = 0xF7
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
"""Pattern of a marker that is neither a stuffed byte of a scan nor a restart marker."""

_LOOKAHEAD = bytes(16)
"""Bytes that a decoder may read beyond a complete scan: it fills a register, and arithmetic coding omits zeros."""

_BEYOND = _LOOKAHEAD + b"".join(bytes(range(1, 250)) + bytes([0xFF, 0xD0 + number]) for number in range(8))
"""Bytes that change a picture whose last scan is incomplete, whichever restart interval it ends in."""


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """A JPEG's frame header, and whether it has a single scan.

    Attributes:
        process: marker of the coding process, such as SOF0; 0 if there is none.
        bits: bits per sample; 0 if there is no frame.
        has_one_scan: whether the first scan holds the whole picture.
    """

    process: int = 0
    bits: int = 0
    has_one_scan: bool = True


def read_frame(data: bytes) -> JpegFrame:
    """Read the frame header of a JPEG file."""
    process = bits = components = 0
    for marker, _, segment in _segments(data):
        if marker in _FRAMES or marker == _JPEG_LS:
            process, bits, components = marker, int.from_bytes(segment[:1]), int.from_bytes(segment[5:6])
        if marker == _SCAN:
            is_whole = segment[:1] == bytes([components])
            return JpegFrame(process, bits, is_whole and process in (_BASELINE, _EXTENDED, _ARITHMETIC))
    return JpegFrame(process, bits)


def require_readable(data: bytes) -> None:
    """Refuse a JPEG of an unsupported process, naming it.

    Raises:
        UnsupportedImageError: it is lossless, hierarchical, of more than 8 bits, or JPEG-LS.
    """
    frame = read_frame(data)
    name = ""
    if frame.process == _JPEG_LS:
        name = "a JPEG-LS image"
    elif frame.process in _LOSSLESS:
        name = "a lossless JPEG"
    elif frame.process in _HIERARCHICAL:
        name = "a hierarchical JPEG"
    elif frame.bits not in (0, 8):
        name = f"a JPEG of {frame.bits} bits per sample"
    if name:
        raise UnsupportedImageError(f"the file is {name}; supported are baseline and progressive, 8 bits per sample")


def load_whole(data: bytes) -> Image.Image:
    """Decode a JPEG and verify that its scans are complete.

    Decoders silently fill missing parts with blocks of one colour. So a picture of one scan is decoded without its end
    marker: if the decoder needs more than a few bytes in its place, it reports a truncated file. A picture of several
    scans is decoded a second time with extra bytes before the end marker: they change it only if some were missing.

    Raises:
        ImageDamagedError: the last scan ends early, even if an end marker follows.
    """
    frame = read_frame(data)
    end = next((at for marker, at, _ in _segments(data) if marker == _END), len(data))
    if frame.has_one_scan:
        try:
            return _loaded(data[:end] + _LOOKAHEAD)
        except OSError as error:
            if "truncated" in str(error) or frame.process == _ARITHMETIC:
                raise _ends_early() from error
            raise
    # A checksum, so that only one of the two pictures is in memory at a time.
    checksum = _checksum(_loaded(data[:end] + _BEYOND + b"\xff\xd9"))
    picture = _loaded(data[:end] + b"\xff\xd9")
    if _checksum(picture) != checksum:
        raise _ends_early()
    return picture


def _checksum(picture: Image.Image) -> int:
    return crc32(picture.tobytes())


def _ends_early() -> ImageDamagedError:
    return ImageDamagedError("the JPEG image's scan ends before its last row")


def _loaded(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data), formats=["JPEG"])
    # An arithmetic decoder cannot pause to wait for more bytes.
    picture.decodermaxblock = len(data)
    picture.load()
    return picture


def _segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield markers up to the end of the first picture, each with its position and its segment's content."""
    at = 2
    while found := _MARKER.search(data, at):
        marker, after = found[1][0], found.end()
        has_length = marker not in (0x01, _START, _END)
        length = int.from_bytes(data[after : after + 2], "big") if has_length else 0
        yield marker, found.start(), data[after + 2 : after + length]
        if marker == _END:
            return
        at = after + length
