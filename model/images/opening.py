"""Opening an image file with the decoder of its format, or explaining why there is none."""

import re
from io import BytesIO
from typing import BinaryIO

import PIL.WebPImagePlugin  # noqa: F401 (otherwise Pillow would import all its plugins to find this one)
import pillow_heif
from PIL import AvifImagePlugin, Image, UnidentifiedImageError, features

from model.errors import (
    ImageDamagedError,
    ImageFileError,
    ImageMemoryError,
    NotAnImageError,
    UnsupportedImageError,
)
from model.images.avif import require_whole
from model.images.jpeg import require_readable
from model.images.png import forgive_long_texts
from model.images.signatures import name_of
from model.images.tiff import TiffLayout, read_layout

FORMATS = (
    *("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "HEIF"),
    *(("AVIF",) if features.check("avif") else ()),
)
"""Pillow's names of the supported formats; an MPO, written by some cameras, is read as the JPEG it starts with."""

_THREADS = 4
"""Threads per image in decoders that support multithreading."""

pillow_heif.register_heif_opener(decode_threads=_THREADS, thumbnails=False, depth_images=False, aux_images=False)
AvifImagePlugin.DEFAULT_MAX_THREADS = _THREADS
# Callers check the size after reading the header; Pillow's own limit is fixed, and warns below it.
Image.MAX_IMAGE_PIXELS = None
forgive_long_texts()


def open_page(file: BinaryIO, layout: TiffLayout | None) -> Image.Image:
    """Open a picture; for a TIFF, the page that its layout describes."""
    picture = open_picture(file)
    if layout is not None and layout.page:
        try:
            picture.seek(layout.page)
        except Exception as error:
            raise damaged("the TIFF file's pages cannot be read", error) from error
    return picture


def open_picture(file: BinaryIO) -> Image.Image:
    """Open a file with its format's decoder, without decoding pixels; WebP's decoder does allocate memory for them all.

    Raises:
        ImageFileError: no image, with a damaged header, or of an unsupported format or pixel layout.
    """
    start = file.read(16)
    file.seek(0)
    if start[:3] == b"\xff\xd8\xff":
        require_readable(file.read())
        file.seek(0)
    if start[4:8] == b"ftyp" or start[8:11] == b"CR\x02" or start[12:16] == b"CgBI":
        unread = name_of(start)
        if unread is not None:
            raise UnsupportedImageError(f"the file is {unread}; supported are {', '.join(FORMATS)}")
    try:
        picture = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        file.seek(0)
        raise _unidentified(file.read()) from error
    except Exception as error:
        if str(error).startswith("Unsupported"):
            raise UnsupportedImageError(f"the file has an unsupported layout: {error}") from error
        raise damaged("the image's header cannot be read", error) from error
    if picture.format == "AVIF":
        file.seek(0)
        require_whole(picture, file.read())
    return picture


def damaged(what: str, error: Exception) -> ImageFileError:
    """Interpret a decoder's error: the file is damaged, or there is too little memory."""
    # Libraries report a failed allocation in words of their own, and Pillow reports libtiff's by a number.
    if isinstance(error, MemoryError) or re.search("memory|error -9$", str(error), re.IGNORECASE):
        return ImageMemoryError(f"{what} in the memory that an image of its size may take")
    return ImageDamagedError(f"{what}: {error}")


def _unidentified(data: bytes) -> ImageFileError:
    """Explain as precisely as possible why no decoder accepted the bytes."""
    if not data:
        return NotAnImageError("the image is empty: 0 bytes")
    unread = name_of(data)
    if unread is not None:
        return UnsupportedImageError(f"the file is {unread}; supported are {', '.join(FORMATS)}")
    for name in FORMATS:
        plugin, accepts = Image.OPEN[name]
        if accepts is None or not _accepts(accepts(data[:16])):
            continue
        try:
            plugin(BytesIO(data), "")
        except Exception as error:  # decoders raise all kinds of exceptions
            return _refused_by_plugin(name, data, error)
    return NotAnImageError(f"the file's {len(data)} bytes are not an image; supported formats are {', '.join(FORMATS)}")


def _refused_by_plugin(name: str, data: bytes, error: Exception) -> ImageFileError:
    is_about_layout = "mode" in str(error) or "compression" in str(error)
    if is_about_layout and isinstance(error, (SyntaxError, ValueError, KeyError)):
        layout = read_layout(BytesIO(data)) or error
        return UnsupportedImageError(f"the file is a {name} file with an unsupported pixel layout: {layout}")
    return ImageDamagedError(f"the file starts like a {name} file, but its header is damaged: {error}")


def _accepts(answer: object) -> bool:
    # A plugin returns a message if the signature matches but it does not support the file.
    return answer is True
