"""From an image file to its pixels. The file's content determines its format, not its name or media type.

The service and the trainer both read images with this module, so that a network sees the same pixels in both. The
decoder processes import it, so it has to stay light.
"""

from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.errors import ImageDamagedError, ImageFileError
from model.images.bmp import read_bit_fields
from model.images.conversion import write_rgb
from model.images.first_frame import frame_of_screen, whiten_around
from model.images.jpeg import load_whole
from model.images.opening import damaged, open_page, open_picture
from model.images.orientation import as_stored, is_on_its_side, orientation_of
from model.images.png import require_all_rows, stored_mode, transparent_deep_pixels, transparent_sample
from model.images.tiff import read_layout
from model.images.tiff_samples import read_rgb

Allocate = Callable[[int, int], NDArray[np.uint8]]
"""Function that allocates an image, (height, width, 3), uint8, given its height and width."""


def blank(height: int, width: int) -> NDArray[np.uint8]:
    """Allocate an image, (height, width, 3)."""
    return np.empty((height, width, 3), dtype=np.uint8)


def decode_image(file: BinaryIO, allocate: Allocate = blank) -> NDArray[np.uint8]:
    """Decode an image.

    Returns the first frame, turned upright by its EXIF orientation. Transparency is composited on white; 16-bit and
    32-bit samples are scaled to 8 bits.

    Args:
        file: image file in one of ``opening.FORMATS``.
        allocate: function that allocates the result, given its height and width.

    Returns:
        (height, width, 3), uint8 RGB.

    Raises:
        ImageFileError: the file is not an image, is damaged or of an unsupported layout, or memory is short.
    """
    fields = read_bit_fields(file)
    if fields is not None:
        return _decoded("BMP", lambda: _placed(fields.read_rgb(file), 1, allocate))
    layout = read_layout(file)
    if layout is not None and not layout.is_read_by_pillow():
        return _decoded("TIFF", lambda: _placed(read_rgb(file, layout), layout.orientation, allocate))
    picture = open_page(file, layout)
    return _decoded(picture.format, lambda: _decode(picture, file, allocate))


def _decoded(name: str | None, decode: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    try:
        return decode()
    except ImageFileError:
        raise
    # Decoders raise all kinds of exceptions for untrusted bytes; to the client they mean the same.
    except Exception as error:
        raise damaged(f"the {name} image cannot be decoded", error) from error


def _decode(picture: Image.Image, file: BinaryIO, allocate: Allocate) -> NDArray[np.uint8]:
    sample, deep = transparent_sample(picture), transparent_deep_pixels(picture, file)
    if sample is not None:
        picture.info["transparency"] = sample
    if deep is not None:
        file.seek(0)
        picture = open_picture(file)
        del picture.info["transparency"]
    mode = stored_mode(picture)
    announced, frame = picture.size, frame_of_screen(picture, file)
    if picture.format in ("JPEG", "MPO"):
        file.seek(0)
        picture = load_whole(file.read())
    picture.load()
    if picture.format == "PNG":
        require_all_rows(picture, file)
    if picture.format == "HEIF" and picture.size != announced:
        (width, height), (announced_width, announced_height) = picture.size, announced
        raise ImageDamagedError(
            f"the HEIF image has {width} x {height} pixels, but declares {announced_width} x {announced_height}"
        )
    image, stored = _allocate_upright(picture.height, picture.width, orientation_of(picture), allocate)
    write_rgb(picture, stored, mode)
    if deep is not None:
        stored[deep] = 255
    if frame is not None:
        whiten_around(stored, frame)
    return image


def _placed(pixels: NDArray[np.uint8], orientation: int, allocate: Allocate) -> NDArray[np.uint8]:
    """Copy a picture, turned upright, to newly allocated memory."""
    height, width = pixels.shape[:2]
    image, stored = _allocate_upright(height, width, orientation, allocate)
    stored[:] = pixels
    return image


def _allocate_upright(
    height: int, width: int, orientation: object, allocate: Allocate
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Allocate an upright image; return it and a view of it with rows and columns as in the file: height x width."""
    image = allocate(width, height) if is_on_its_side(orientation) else allocate(height, width)
    return image, as_stored(image, orientation)
