"""GIF files whose first frame is smaller than the screen."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

Rectangle = tuple[int, int, int, int]
"""First column, first row, and the ones after the last."""


def frame_of_screen(picture: Image.Image) -> Rectangle | None:
    """Where the first frame of a GIF that is not loaded yet is on its screen; None of other formats."""
    if picture.format != "GIF" or not isinstance(picture, ImageFile.ImageFile) or not picture.tile:
        return None
    return picture.tile[0].extents


def whiten_around(image: NDArray[np.uint8], frame: Rectangle) -> None:
    """Make white what no frame covers: browsers show it as transparent, and Pillow in the palette's first colour."""
    left, top, right, bottom = frame
    image[:top] = image[bottom:] = 255
    image[:, :left] = image[:, right:] = 255
