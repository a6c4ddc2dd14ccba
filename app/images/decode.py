"""Reads image files with ``model.images``, and turns its errors into problems of the request."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from app.problems import IMAGE_DAMAGED, NOT_AN_IMAGE, TOO_COSTLY, UNSUPPORTED_FORMAT, ProblemError
from model import images
from model.errors import (
    ImageDamagedError,
    ImageFileError,
    ImageMemoryError,
    NotAnImageError,
    UnsupportedImageError,
)
from model.images import FORMATS, Allocate, Header, blank

__all__ = ["FORMATS", "Allocate", "Header", "blank", "decode_image", "read_header"]

_PROBLEMS = {
    NotAnImageError: NOT_AN_IMAGE,
    ImageDamagedError: IMAGE_DAMAGED,
    UnsupportedImageError: UNSUPPORTED_FORMAT,
    ImageMemoryError: TOO_COSTLY,
}


def read_header(file: BinaryIO, max_pixels: int) -> Header:
    """As ``model.images.read_header``.

    Raises:
        ProblemError: not an image, or an unsupported format or pixel layout.
    """
    with _problems():
        return images.read_header(file, max_pixels)


def decode_image(file: BinaryIO, allocate: Allocate = blank) -> NDArray[np.uint8]:
    """As ``model.images.decode_image``.

    Raises:
        ProblemError: not an image, damaged, an unsupported pixel layout, or too little memory for it.
    """
    with _problems():
        return images.decode_image(file, allocate)


@contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except ImageFileError as error:
        raise ProblemError(_PROBLEMS[type(error)], str(error)) from error
