"""The first frame of a GIF or WebP file, if it is smaller than the canvas."""

import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

Rectangle = tuple[int, int, int, int]
"""First column, first row, column after the last, and row after the last."""


def frame_of_screen(picture: Image.Image, file: BinaryIO) -> Rectangle | None:
    """Return the first frame's rectangle on the canvas of a GIF that is not loaded yet or of a WebP; else None."""
    if picture.format == "WEBP":
        return _frame_of_webp(file)
    if picture.format != "GIF" or not isinstance(picture, ImageFile.ImageFile) or not picture.tile:
        return None
    return picture.tile[0].extents


def whiten_around(image: NDArray[np.uint8], frame: Rectangle) -> None:
    """Whiten everything outside the frame: browsers show it as transparent, Pillow in some colour of the file."""
    left, top, right, bottom = frame
    image[:top] = image[bottom:] = 255
    image[:, :left] = image[:, right:] = 255


def _frame_of_webp(file: BinaryIO) -> Rectangle | None:
    """Rectangle of an animation's first frame, from its first ANMF chunk; None if there is none."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        length = int.from_bytes(head[4:], "little")
        if head[:4] == b"ANMF":
            numbers = struct.unpack("<HBHBHBHB", file.read(12))
            left, top, width, height = (low | high << 16 for low, high in zip(numbers[::2], numbers[1::2], strict=True))
            return 2 * left, 2 * top, 2 * left + width + 1, 2 * top + height + 1
        file.seek(length + length % 2, 1)
    return None
