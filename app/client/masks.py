"""Decodes the service's PNG to class indices."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import PngImagePlugin

from app.client.errors import UnexpectedResponseError

_ROWS_AT_ONCE = 256


def decode_mask(png: bytes) -> NDArray[np.uint8]:
    """Decode a complete palette PNG to class indices, (height, width), uint8.

    Raises:
        UnexpectedResponseError: the PNG is damaged, or of another mode.
    """
    try:
        # Image.open() would warn at 100 megapixels, a common size here, and refuse twice as many.
        picture = PngImagePlugin.PngImageFile(BytesIO(png))
        if picture.mode != "P":
            raise UnexpectedResponseError(f"the mask is a PNG of mode {picture.mode}, not one with a palette")
        return np.array(picture)
    except (OSError, SyntaxError, ValueError) as error:  # raised by Pillow
        raise UnexpectedResponseError(f"the mask cannot be decoded: {error}") from error


def count_pixels(mask: NDArray[np.uint8]) -> list[int]:
    """Count the pixels of each of the 256 indices."""
    # In bands of rows, since counting takes eight bytes per pixel.
    bands = (mask[top : top + _ROWS_AT_ONCE] for top in range(0, len(mask), _ROWS_AT_ONCE))
    counts: list[int] = sum(
        (np.bincount(band.ravel(), minlength=256) for band in bands), start=np.zeros(256, dtype=np.int64)
    ).tolist()
    return counts
