"""Images: from what callers have to bytes to send, and from bytes to what can be looked at."""

import os
import struct
from contextlib import suppress
from inspect import iscoroutinefunction
from io import BytesIO
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, ImageOps


@runtime_checkable
class OpenFile(Protocol):
    """What can be read: a file that is open, a ``BytesIO``, an upload of a web framework, a member of an archive."""

    def read(self) -> bytes:
        """All that is left of it."""


ImageInput: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | OpenFile | Image.Image | NDArray[np.uint8]
)
"""A path, an open file, a file's bytes, a Pillow picture, or an array: (height, width, 3) RGB or (height, width) grey,
uint8."""

_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
_WIDE_MODES = ("I", "F")
_TIFF_MODES = (*_WIDE_MODES, "CMYK")
"""Those that PNG has not, or would cut."""

_STRAIGHT_MODES = {"RGBa": "RGBA", "La": "LA", "PA": "RGBA"}
"""Those in which PNG has what other modes hold."""

_WHITES = (1, 255, 65535)


def encode(image: ImageInput) -> bytes:
    """The bytes of an image file: as they are where there is one, without loss where there is none.

    Raises:
        OSError: the file cannot be read.
        TypeError: no kind of image, or a file that is not open for bytes.
        ValueError: an array of another type or shape, or a picture without pixels.
    """
    match image:
        case bytes() | bytearray() | memoryview():
            return bytes(image)
        case str() | os.PathLike():
            return Path(image).read_bytes()
        case np.ndarray():
            return _encode_picture(_picture(image))
        case Image.Image():
            return _encode_picture(ImageOps.exif_transpose(image))
        case OpenFile():
            return _read(image)
    raise TypeError(f"{type(image).__name__} is no image: a path, a file, bytes, a Pillow picture or a uint8 array is")


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


def _read(file: OpenFile) -> bytes:
    """All of a file: from its start, if it can go back, wherever it stands after it was written or looked into."""
    if iscoroutinefunction(file.read):
        raise TypeError(f"{type(file).__name__}.read() is to be awaited; give what it returns")
    with suppress(AttributeError, OSError):
        file.seek(0)  # type: ignore[attr-defined]
    data: object = file.read()
    if not isinstance(data, bytes):
        raise TypeError(f"{type(file).__name__}.read() gives {type(data).__name__}, not bytes; open the file with 'rb'")
    return data


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
    fit = _fitting(picture)
    if fit.mode in _TIFF_MODES:
        fit.save(buffer, "TIFF", compression="tiff_lzw")
    else:
        # Sent once and thrown away: the time to compress more is worth more than the bytes.
        fit.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _fitting(picture: Image.Image) -> Image.Image:
    """The same picture in a mode that a file can hold."""
    if picture.mode in (*_PNG_MODES, *_TIFF_MODES):
        return picture
    if picture.mode.startswith("I;16"):  # in another order of bytes
        return Image.fromarray(np.asarray(picture).astype(np.uint16))
    if picture.mode == "LAB":
        return _srgb_of_lab(picture)
    fit = picture.convert(_STRAIGHT_MODES.get(picture.mode, "RGB"))
    if fit.mode == "RGB":
        fit.info.pop("icc_profile", None)  # which is of the other mode's colours
    return fit


def _srgb_of_lab(picture: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(picture, lab, srgb, outputMode="RGB")
    assert converted is not None  # it is not converted in place
    converted.info.pop("icc_profile", None)
    return converted


def _upright_rgb(picture: ImageFile.ImageFile) -> Image.Image:
    picture.load()
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I;16"):
        return _scaled(np.asarray(upright).astype(np.float32), 65535)
    if upright.mode in _WIDE_MODES:
        samples = np.nan_to_num(np.asarray(upright, dtype=np.float32))
        return _scaled(samples, next((white for white in _WHITES if samples.max() <= white), _WHITES[-1]))
    if upright.has_transparency_data:
        colored = upright.convert("RGBA")
        white = Image.new("RGBA", colored.size, "white")
        return Image.alpha_composite(white, colored).convert("RGB")
    return upright.convert("RGB")


def _scaled(samples: NDArray[np.float32], white: int) -> Image.Image:
    return Image.fromarray(np.clip(np.round(samples * (255 / white)), 0, 255).astype(np.uint8)).convert("RGB")
