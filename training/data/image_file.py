"""Reading an image file of a data set."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import ImageFileError
from model.images import decode_image
from training.errors import DatasetError


def read_image(file: Path) -> NDArray[np.uint8]:
    """Read an image as the service does, so that training and serving see the same pixels.

    EXIF orientation is applied, transparency is composited on white, and of an animation the first frame is read.

    Returns:
        (height, width, 3), uint8 RGB.

    Raises:
        DatasetError: the file is missing or cannot be decoded.
    """
    try:
        with file.open("rb") as stream:
            return decode_image(stream)
    except FileNotFoundError as error:
        raise DatasetError(f"{file} is missing") from error
    except (OSError, ImageFileError) as error:
        raise DatasetError(f"{file} cannot be decoded: {error}") from error
