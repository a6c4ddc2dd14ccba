"""Encodes the caller's images as bytes to send, and decodes bytes to images to look at."""

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
    """A readable object: an open file, a ``BytesIO``, an upload of a web framework, a member of an archive."""

    def read(self) -> bytes:
        """Read the rest of the file."""


ImageInput: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | OpenFile | Image.Image | NDArray[np.uint8]
)
"""A path, an open file, a file's bytes, a Pillow image, or an array: (height, width, 3) RGB or (height, width) grey,
uint8."""

_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
_WIDE_MODES = ("I", "F")
_TIFF_MODES = (*_WIDE_MODES, "CMYK")
"""Pillow modes that PNG lacks, or would truncate."""

_STRAIGHT_MODES = {"RGBa": "RGBA", "La": "LA", "PA": "RGBA"}
"""PNG modes that hold the contents of other Pillow modes."""

_WHITES = (1, 255, 65535)


def encode(image: ImageInput) -> bytes:
    """The bytes of an image file: a file unchanged, anything else losslessly encoded.

    Raises:
        OSError: the file cannot be read.
        TypeError: not an image, or a file that is not open in binary mode.
        ValueError: an array of another dtype or shape, or an image without pixels.
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
    raise TypeError(
        f"{type(image).__name__} is not an image; give a path, a file, bytes, a Pillow image or a uint8 array"
    )


def decode(data: bytes) -> Image.Image:
    """Decode an image file to RGB as the service does: upright, and transparency on white.

    Pillow's limit on pixels does not apply: the image is the caller's own, and the service has checked its size.

    Raises:
        ValueError: damaged, or of a format that Pillow does not read here.
    """
    # Image.open() would apply the limit, which is global to the process.
    Image.init()
    for name in Image.ID:
        factory, accepts = Image.OPEN[name]
        try:
            if accepts is None or accepts(data[:16]) is True:
                return _upright_rgb(factory(BytesIO(data), ""))
        except (SyntaxError, IndexError, TypeError, struct.error):  # raised by plugins: another format
            continue
        except OSError as error:
            raise ValueError(f"the {name} image cannot be decoded: {error}") from error
    raise ValueError("the image is of a format that Pillow does not read here")


def _read(file: OpenFile) -> bytes:
    """Read a whole file: from its start if it is seekable, since it may have just been written or inspected."""
    if iscoroutinefunction(file.read):
        raise TypeError(f"{type(file).__name__}.read() must be awaited; give its result")
    with suppress(AttributeError, OSError):
        file.seek(0)  # type: ignore[attr-defined]
    data: object = file.read()
    if not isinstance(data, bytes):
        raise TypeError(f"{type(file).__name__}.read() returns {type(data).__name__}, not bytes; open it with 'rb'")
    return data


def _picture(array: NDArray[np.uint8]) -> Image.Image:
    is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    if array.dtype != np.uint8 or not is_image or not array.size:
        raise ValueError(
            f"an array of shape {array.shape} and type {array.dtype} is not an image; "
            "give (height, width, 3) RGB or (height, width) grey, uint8"
        )
    return Image.fromarray(array)


def _encode_picture(picture: Image.Image) -> bytes:
    if not all(picture.size):
        raise ValueError("the image has no pixels")
    buffer = BytesIO()
    fit = _fitting(picture)
    if fit.mode in _TIFF_MODES:
        fit.save(buffer, "TIFF", compression="tiff_lzw")
    else:
        # Sent once and discarded: saving time matters more than saving bytes.
        fit.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _fitting(picture: Image.Image) -> Image.Image:
    """Convert an image to a mode that a file can hold."""
    if picture.mode in (*_PNG_MODES, *_TIFF_MODES):
        return picture
    if picture.mode.startswith("I;16"):  # in another byte order
        return Image.fromarray(np.asarray(picture).astype(np.uint16))
    if picture.mode == "LAB":
        return _srgb_of_lab(picture)
    fit = picture.convert(_STRAIGHT_MODES.get(picture.mode, "RGB"))
    if fit.mode == "RGB":
        fit.info.pop("icc_profile", None)  # it describes the colours of the former mode
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
