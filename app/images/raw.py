"""Images that are no files: pixels, which need no decoder."""

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.typing import NDArray

from app.images.pool import Decoders


class RawImage:
    """Pixels, row by row from the top, without padding.

    Args:
        pixels: RGB, a byte each.
        height: height of the image.
        width: width of the image.
    """

    decode_bytes = 0
    """Memory that decoding takes: they are where the request's body is."""

    def __init__(self, pixels: bytes | memoryview, height: int, width: int) -> None:
        assert len(pixels) == prod((height, width, 3))
        self.height = height
        self.width = width
        self._pixels: bytes | memoryview = pixels

    def decode(self, decoders: Decoders, raise_if_cancelled: Callable[[], None]) -> NDArray[np.uint8]:  # noqa: ARG002
        """(height, width, 3), uint8 RGB, read-only."""
        return np.frombuffer(self._pixels, np.uint8).reshape(self.height, self.width, 3)

    def close(self) -> None:
        """Forget the pixels, whose memory is free when nobody else knows them."""
        self._pixels = b""
