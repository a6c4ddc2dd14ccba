"""Outcome of reading a file: a header and an image, or a refusal."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from model.errors import UnsupportedImageError
from model.images import Header, decode_image, read_header


def read_or_refusal(file: bytes) -> tuple[Header, NDArray[np.uint8]] | str:
    """The header and the image, or the message that refuses the layout."""
    try:
        return read_header(BytesIO(file), 1 << 30), decode_image(BytesIO(file))
    except UnsupportedImageError as error:
        return str(error)
