"""A decoder in the service's own process, for systems that cannot share memory by descriptor."""

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from app.images.decode import Header, decode_image, read_header
from app.images.limits import ResourceLimits


class InProcessDecoder:
    """Like ``DecoderProcess``, but a file that crashes it crashes the service, and nothing enforces the limits."""

    id = 0
    is_alive = True

    def __init__(self, module: str, max_pixels: int) -> None:  # noqa: ARG002
        self._max_pixels = max_pixels

    def read_header(self, file: BinaryIO, limits: ResourceLimits) -> Header:  # noqa: ARG002
        file.seek(0)
        return read_header(file, self._max_pixels)

    def decode_image(self, file: BinaryIO, pixels: int, limits: ResourceLimits) -> NDArray[np.uint8]:  # noqa: ARG002
        file.seek(0)
        return decode_image(file)

    def kill(self) -> None:
        pass

    def end(self) -> None:
        pass
