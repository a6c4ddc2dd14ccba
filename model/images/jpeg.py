"""JPEG files that are refused: coding processes without a decoder, and scans that end before the picture does."""

from io import BytesIO
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.errors import ImageDamagedError, UnsupportedImageError

_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
_HIERARCHICAL = {0xC5, 0xC6, 0xCD, 0xCE}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = {0xC0, 0xC1}
_ALONE = {0x01, *range(0xD0, 0xD9)}
_JPEG_LS = 0xF7
_SCAN = 0xDA

_CORNER = 4
"""Pixels of the last rows and columns that are alike where a scan ended early."""

_SHRINKING = 8
_BEYOND = b"".join(bytes([0xFF, 0xD0 + number]) + bytes(range(1, 250)) for number in range(8))
"""Numbers that mean pixels, if a decoder still wants some: of the interval at hand and of all that may follow."""


def require_readable(file: BinaryIO) -> None:
    """Refuse a JPEG of a process that is not read, by name.

    Raises:
        UnsupportedImageError: lossless, hierarchical, of more than 8 bits, or JPEG-LS.
    """
    frame, bits, _ = _frame(file)
    name = ""
    if frame == _JPEG_LS:
        name = "a JPEG-LS image"
    elif frame in _LOSSLESS:
        name = "a lossless JPEG"
    elif frame in _HIERARCHICAL:
        name = "a hierarchical JPEG"
    elif frame is not None and bits != 8:
        name = f"a JPEG of {bits} bits a sample"
    if name:
        raise UnsupportedImageError(f"the file is {name}; JPEG is read with 8 bits a sample, baseline and progressive")


def require_whole_scan(picture: Image.Image, file: BinaryIO) -> None:
    """Refuse a decoded JPEG whose scan ends early, though its end marker is there.

    A decoder makes blocks of one colour of what is missing. Where the last corner is of one colour, the file is
    decoded with more numbers before its end marker: only where some were missing, the picture changes.

    Raises:
        ImageDamagedError: it does.
    """
    width, height = picture.size
    corner = np.asarray(picture.crop((max(0, width - _CORNER), max(0, height - _CORNER), width, height)))
    if (corner != corner[:1, :1]).any():
        return
    frame, _, scan = _frame(file)
    file.seek(0)
    data = file.read()
    end = data.find(b"\xff\xd9", scan)
    if frame not in _SEQUENTIAL or end < 0:
        return
    head = data[:end]
    if (_small(head + b"\xff\xd9") != _small(head + _BEYOND[2:] + _BEYOND + b"\xff\xd9")).any():
        raise ImageDamagedError("the JPEG image's scan ends before its last row, though its end marker is there")


def _small(data: bytes) -> NDArray[np.uint8]:
    picture = Image.open(BytesIO(data), formats=["JPEG"])
    picture.draft(None, (max(1, picture.width // _SHRINKING), max(1, picture.height // _SHRINKING)))
    picture.load()
    return np.asarray(picture)


def _frame(file: BinaryIO) -> tuple[int | None, int, int]:
    """Marker of the frame, its bits a sample, and where the first scan's header is; None if there is no frame."""
    file.seek(2)
    frame, bits = None, 0
    while True:
        marker = file.read(2)
        if len(marker) < 2 or marker[0] != 0xFF:
            break
        if marker[1] == 0xFF:  # a fill byte
            file.seek(-1, 1)
            continue
        if marker[1] in _ALONE:
            continue
        if marker[1] == _SCAN or marker[1] == 0xD9:
            break
        length = int.from_bytes(file.read(2), "big")
        if marker[1] in _FRAMES or marker[1] == _JPEG_LS:
            frame, bits = marker[1], int.from_bytes(file.read(1), "big")
            file.seek(-1, 1)
        file.seek(max(0, length - 2), 1)
    at = file.tell()
    file.seek(0)
    return frame, bits, at
