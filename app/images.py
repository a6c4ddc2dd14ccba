"""From the bytes of an image file to RGB pixels. What the file says it is decides, not the label it came with."""

from io import BytesIO
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError, features

from app.problems import IMAGE_DAMAGED, NOT_AN_IMAGE, TOO_MANY_PIXELS, UNSUPPORTED_FORMAT, ProblemError
from model.networks.fcn import ALIGNMENT

pillow_heif.register_heif_opener()
# Our own limit is checked before a pixel is decoded; Pillow's fixed one would warn below it.
Image.MAX_IMAGE_PIXELS = None

FORMATS = (
    *("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "HEIF"),
    *(("AVIF",) if features.check("avif") else ()),
)
"""Pillow's names of the formats read; an MPO, which cameras make, is read as the JPEG it starts with."""

_SIGNATURES = {
    b"%PDF": "a PDF document",
    b"8BPS": "a Photoshop document",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML document",
    b"<!DOCTYPE": "an HTML page",
    b"<html": "an HTML page",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x00\x00\x00\x0cjP  ": "a JPEG 2000 image",
    b"\xff\x4f\xff\x51": "a JPEG 2000 image",
    b"\x00\x00\x00\x0cJXL ": "a JPEG XL image",
    b"\xff\x0a": "a JPEG XL image",
    b"\x00\x00\x01\x00": "an icon",
    b"v/1\x01": "an OpenEXR image",
    b"DDS ": "a DirectDraw surface",
    b"\x1aE\xdf\xa3": "a Matroska video",
}
"""First bytes of files that people send and that are not read here, so that the answer can name them."""

_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
_SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N")


def open_image(data: bytes, max_pixels: int) -> Image.Image:
    """Read an image file's header.

    Args:
        data: of a file in one of ``FORMATS``.
        max_pixels: the most that may be decoded.

    Raises:
        ProblemError: not an image, of a format or pixel layout that is not read, or too large.
    """
    picture = _open(data)
    _require_size(picture, max_pixels)
    return picture


def decode_image(picture: Image.Image) -> NDArray[np.uint8]:
    """Decode an image whose header has been read.

    The first frame, turned as its EXIF orientation says. Transparency is composited on white; 16-bit and 32-bit
    samples are scaled to 8 bits.

    Returns:
        (height, width, 3), uint8 RGB.

    Raises:
        ProblemError: damaged, or of a pixel layout that is not read.
    """
    try:
        picture.load()
        upright = _upright(picture)
        return np.asarray(_to_rgb(upright))
    except ProblemError:
        raise
    # Decoders of strangers' bytes raise whatever they like; all of it means the same to the sender.
    except Exception as error:
        raise ProblemError(IMAGE_DAMAGED, f"the {picture.format} image cannot be decoded: {error}") from error


def _open(data: bytes) -> Image.Image:
    if not data:
        raise ProblemError(NOT_AN_IMAGE, "the image is empty: 0 bytes")
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except Exception as error:
        raise ProblemError(IMAGE_DAMAGED, f"the image's header cannot be read: {error}") from error


def _unidentified(data: bytes) -> ProblemError:
    """Why no decoder took the bytes, as precisely as can be said."""
    start = data[:64].lstrip()
    for signature, name in _SIGNATURES.items():
        if start.startswith(signature):
            return ProblemError(UNSUPPORTED_FORMAT, f"the body is {name}; readable are {', '.join(FORMATS)}")
    for name in FORMATS:
        plugin, accepts = Image.OPEN[name]
        if accepts is None or not _accepts(accepts(data[:16])):
            continue
        try:
            plugin(BytesIO(data), "")
        except Exception as error:  # as in decode_image
            return _refused_by_plugin(name, data, error)
    return ProblemError(NOT_AN_IMAGE, f"the body's {len(data)} bytes are no image; readable are {', '.join(FORMATS)}")


def _refused_by_plugin(name: str, data: bytes, error: Exception) -> ProblemError:
    is_about_layout = "mode" in str(error) or "compression" in str(error)
    if is_about_layout and isinstance(error, (SyntaxError, ValueError, KeyError)):
        layout = _layout(name, data) or error
        return ProblemError(
            UNSUPPORTED_FORMAT, f"the body is a {name} file with a pixel layout that is not read: {layout}"
        )
    return ProblemError(IMAGE_DAMAGED, f"the body starts like a {name} file, but its header is damaged: {error}")


def _accepts(answer: object) -> bool:
    # A plugin answers with a sentence if the signature is right and the file is none of its all the same.
    return answer is True


def _layout(name: str, data: bytes) -> str:
    """A TIFF's samples, in words; empty if they can't be told."""
    if name != "TIFF":
        return ""
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        stream = BytesIO(data)
        stream.seek(directory.next)
        directory.load(stream)
        bits = directory.get(258, (1,))
        samples = directory.get(277, 1)
    except Exception:
        return ""
    return f"{samples} samples a pixel of {', '.join(str(bit) for bit in np.atleast_1d(bits))} bits"


def _require_size(picture: Image.Image, max_pixels: int) -> None:
    width, height = picture.size
    if width < 1 or height < 1:
        raise ProblemError(IMAGE_DAMAGED, f"the image has size {width} x {height}")
    # A strip thinner than the network's alignment is padded to it, and costs accordingly.
    pixels = max(width, ALIGNMENT) * max(height, ALIGNMENT)
    if pixels > max_pixels:
        padded = "" if pixels == width * height else f", padded to at least {ALIGNMENT} a side"
        raise ProblemError(
            TOO_MANY_PIXELS, f"the image has {width} x {height} = {pixels} pixels{padded}; {max_pixels} are allowed"
        )


def _upright(picture: Image.Image) -> Image.Image:
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return picture  # unreadable EXIF spoils no pixel
    return ImageOps.exif_transpose(picture) if orientation != 1 else picture


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in _SIXTEEN_BIT_MODES:
        return _grey(np.asarray(picture), 65535, picture.info.get("transparency"))
    if picture.mode in ("I", "F"):
        samples = np.asarray(picture)
        return _grey(samples, _full_scale(samples))
    if picture.mode in _ALPHA_MODES or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(paper, layer).convert("RGB")
    try:
        return picture.convert("RGB")
    except ValueError as error:
        detail = f"{picture.format} images with pixels of mode {picture.mode} are not read"
        raise ProblemError(UNSUPPORTED_FORMAT, detail) from error


def _full_scale(samples: NDArray[Any]) -> int:
    """White of 32-bit samples: 1, 255 or 65535, whichever is the first that no sample exceeds."""
    greatest = max((float(row[np.isfinite(row)].max(initial=0)) for row in samples), default=0.0)
    is_fraction = greatest <= 1 and samples.dtype.kind == "f"
    return 1 if is_fraction else 255 if greatest <= 255 else 65535


def _grey(samples: NDArray[Any], full_scale: int, transparent: int | None = None) -> Image.Image:
    """Samples of 0..full_scale as a grey picture, clipped, row by row; transparent ones become white."""
    grey = np.empty(samples.shape, dtype=np.uint8)
    for row, line in zip(grey, samples, strict=True):
        finite = np.nan_to_num(line.astype(np.float64), nan=0, posinf=0, neginf=0)
        row[:] = np.clip(np.round(finite * (255 / full_scale)), 0, 255)
        if transparent is not None:
            row[line == transparent] = 255
    return Image.fromarray(grey).convert("RGB")
