"""Images: from what callers have to bytes to send, and from bytes to what can be looked at."""

import os
import struct
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

ImageInput: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
"""A path, a file's bytes, a Pillow picture, or an array: (height, width, 3) RGB or (height, width) grey, uint8."""

_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
_TIFF_MODES = ("I", "F")
_WHITES = (1, 255, 65535)


def encode(image: ImageInput) -> bytes:
    """The bytes of an image file: as they are where there is one, without loss where there is none.

    Raises:
        OSError: the file cannot be read.
        TypeError: no kind of image.
        ValueError: an array of another type or shape, or a picture without pixels.
    """
    match image:
        case bytes():
            return image
        case str() | os.PathLike():
            return Path(image).read_bytes()
        case np.ndarray():
            return _encode_picture(_picture(image))
        case Image.Image():
            return _encode_picture(ImageOps.exif_transpose(image))
    raise TypeError(f"{type(image).__name__} is no image: a path, bytes, a Pillow picture or a uint8 array is")


def decode(data: bytes) -> Image.Image:
    """An image file's picture in RGB: upright, and on white where it is transparent, as the service sees it.

    Pillow's limit on pixels does not hold: it is the caller's own image, and the service has counted its pixels.

    Raises:
        ValueError: not of a format that Pillow reads here, or damaged.
    """
    # Image.open() would apply the limit, which is one for the whole process.
    Image.init()
    for name in Image.ID:
        factory, accepts = Image.OPEN[name]
        try:
            if accepts is None or accepts(data[:16]) is True:
                return _upright_rgb(factory(BytesIO(data), ""))
        except (SyntaxError, IndexError, TypeError, struct.error):  # of plugins: another format
            continue
        except OSError as error:
            raise ValueError(f"the {name} image cannot be decoded: {error}") from error
    raise ValueError("the image is of a format that Pillow does not read here")


def _picture(array: NDArray[np.uint8]) -> Image.Image:
    is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    if array.dtype != np.uint8 or not is_image or not array.size:
        raise ValueError(
            f"an array of shape {array.shape} and type {array.dtype} is no image: "
            "(height, width, 3) RGB or (height, width) grey, uint8, is"
        )
    return Image.fromarray(array)


def _encode_picture(picture: Image.Image) -> bytes:
    if not all(picture.size):
        raise ValueError("the picture has no pixels")
    buffer = BytesIO()
    if picture.mode in _TIFF_MODES:  # which PNG would cut to 16 bits
        picture.save(buffer, "TIFF", compression="tiff_lzw")
    else:
        fit = picture if picture.mode in _PNG_MODES else picture.convert("RGB")
        # Sent once and thrown away: the time to compress more is worth more than the bytes.
        fit.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _upright_rgb(picture: ImageFile.ImageFile) -> Image.Image:
    picture.load()
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I;16"):
        return _scaled(np.asarray(upright).astype(np.float32), 65535)
    if upright.mode in _TIFF_MODES:
        samples = np.nan_to_num(np.asarray(upright, dtype=np.float32))
        return _scaled(samples, next((white for white in _WHITES if samples.max() <= white), _WHITES[-1]))
    if upright.has_transparency_data:
        colored = upright.convert("RGBA")
        white = Image.new("RGBA", colored.size, "white")
        return Image.alpha_composite(white, colored).convert("RGB")
    return upright.convert("RGB")


def _scaled(samples: NDArray[np.float32], white: int) -> Image.Image:
    return Image.fromarray(np.clip(np.round(samples * (255 / white)), 0, 255).astype(np.uint8)).convert("RGB")
