"""EXIF orientation, and turning images upright."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image


def orientation_of(picture: Image.Image) -> object:
    """Return the EXIF orientation read so far: 1 to 8, or an invalid value.

    For an AVIF it is that of the file's boxes, which Pillow reports as EXIF.
    """
    if picture.format == "AVIF":
        picture.info.pop("xmp", None)  # Pillow would also take the orientation from there
    try:
        # The PNG plugin's own method would decode the whole picture.
        return Image.Image.getexif(picture).get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1  # the pixels are usable even if the EXIF data are not


def is_on_its_side(orientation: object) -> bool:
    """Whether the rows of the file are columns of the upright image."""
    return orientation in (5, 6, 7, 8)


def upright(picture: Image.Image) -> Image.Image:
    """Turn a loaded picture upright by its EXIF orientation, keeping mode and palette."""
    method = _TRANSPOSITIONS.get(orientation_of(picture))
    return picture if method is None else picture.transpose(method)


def as_stored(image: NDArray[np.uint8], orientation: object) -> NDArray[np.uint8]:
    """Return a view of an upright image, (height, width, 3), whose rows and columns are those of the file."""
    turn = _TURNS.get(orientation)
    return image if turn is None else turn(image)


_TURNS: Mapping[object, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.transpose(1, 0, 2),
    6: np.rot90,
    7: lambda image: np.rot90(image, 2).transpose(1, 0, 2),
    8: lambda image: np.rot90(image, -1),
}
"""Function, by orientation, that maps an upright image to the rows and columns of the file."""

_TRANSPOSITIONS: Mapping[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Transposition, by orientation, that maps the rows and columns of the file to an upright image."""
