"""From an image file to its pixels. What the file says it is decides, not the label it came with.

The service and the trainer read images by this file, so that a network sees the same pixels in both. A process that
only decodes imports it: it has to stay light.
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
"""Function that makes the memory for an image, (height, width, 3), given its height and width."""


def blank(height: int, width: int) -> NDArray[np.uint8]:
    """Memory for an image, (height, width, 3)."""
    return np.empty((height, width, 3), dtype=np.uint8)


def decode_image(file: BinaryIO, allocate: Allocate = blank) -> NDArray[np.uint8]:
    """Decode an image.

    The first frame, turned as its EXIF orientation says. Transparency is composited on white; 16-bit and 32-bit
    samples are scaled to 8 bits.

    Args:
        file: image file in one of ``opening.FORMATS``.
        allocate: makes the memory for the result, given its height and width.

    Returns:
        (height, width, 3), uint8 RGB.

    Raises:
        ImageFileError: no image, damaged, of a pixel layout that is not read, or with too little memory for it.
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
    # Decoders of strangers' bytes raise whatever they like; all of it means the same to the sender.
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
            f"the HEIF image has {width} x {height} pixels, and says that it has {announced_width} x {announced_height}"
        )
    image, stored = _allocate_upright(picture.height, picture.width, orientation_of(picture), allocate)
    write_rgb(picture, stored, mode)
    if deep is not None:
        stored[deep] = 255
    if frame is not None:
        whiten_around(stored, frame)
    return image


def _placed(pixels: NDArray[np.uint8], orientation: int, allocate: Allocate) -> NDArray[np.uint8]:
    """A picture, turned, in memory that is meant for it."""
    height, width = pixels.shape[:2]
    image, stored = _allocate_upright(height, width, orientation, allocate)
    stored[:] = pixels
    return image


def _allocate_upright(
    height: int, width: int, orientation: object, allocate: Allocate
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Memory for an upright image, and a view of it with rows and columns as the file has them: height x width."""
    image = allocate(width, height) if is_on_its_side(orientation) else allocate(height, width)
    return image, as_stored(image, orientation)
