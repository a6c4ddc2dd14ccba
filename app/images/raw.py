"""Images that arrive as raw pixels and need no decoder."""

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.typing import NDArray

from app.images.pool import Decoders


class RawImage:
    """Pixels, row by row from the top, without padding.

    Args:
        pixels: RGB, one byte per channel.
        height, width: size of the image in pixels.
    """

    decode_bytes = 0
    """Memory in bytes that decoding takes: none, since the pixels lie in the request's body."""

    def __init__(self, pixels: bytes | memoryview, height: int, width: int) -> None:
        assert len(pixels) == prod((height, width, 3))
        self.height = height
        self.width = width
        self._pixels: bytes | memoryview = pixels

    def decode(self, decoders: Decoders, raise_if_cancelled: Callable[[], None]) -> NDArray[np.uint8]:  # noqa: ARG002
        """The image, (height, width, 3), uint8 RGB, read-only."""
        return np.frombuffer(self._pixels, np.uint8).reshape(self.height, self.width, 3)

    def close(self) -> None:
        """Drop the reference to the pixels."""
        self._pixels = b""
