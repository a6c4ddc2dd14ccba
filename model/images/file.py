"""An image file's header and its pixels as RGB. What the file says it is decides, not the label it came with.

The service and the trainer read images by this file, so that a network sees the same pixels in both. A process that
only decodes imports it: it has to stay light.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import BinaryIO

import numpy as np
import PIL.WebPImagePlugin  # noqa: F401 (Pillow would load all the formats that it knows to find this one)
import pillow_heif
from numpy.typing import NDArray
from PIL import AvifImagePlugin, ExifTags, Image, TiffImagePlugin, UnidentifiedImageError, features

from model.errors import (
    ImageDamagedError,
    ImageFileError,
    ImageMemoryError,
    NotAnImageError,
    UnsupportedImageError,
)
from model.images.bmp import read_bit_fields
from model.images.jpeg import require_readable, require_whole_scan
from model.images.on_white import on_white
from model.images.png import find_colors, forgive_long_texts, transparent_deep_pixels, transparent_sample
from model.images.profile import find_profile
from model.images.signatures import name_of
from model.images.tiff import TiffLayout, read_layout
from model.images.tiff_samples import read_rgb

FORMATS = (
    *("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "HEIF"),
    *(("AVIF",) if features.check("avif") else ()),
)
"""Pillow's names of the formats read; an MPO, which cameras make, is read as the JPEG it starts with."""

_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
_SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N")

_STRIP_PIXELS = 1 << 16
"""Pixels that are converted at a time: they and their result fit into a processor's cache."""

_CONVERTING_BYTES = 8
"""Of memory a pixel that conversion takes beside samples and result, at most."""

_THREADS = 4
"""Threads of decoders that can use several."""

pillow_heif.register_heif_opener(decode_threads=_THREADS, thumbnails=False, depth_images=False, aux_images=False)
AvifImagePlugin.DEFAULT_MAX_THREADS = _THREADS
# The size is checked by whoever reads the header; Pillow's own limit is fixed, and would warn below that.
Image.MAX_IMAGE_PIXELS = None
forgive_long_texts()

Allocate = Callable[[int, int], NDArray[np.uint8]]
"""Makes the memory for an image, (height, width, 3), of its height and width."""


@dataclass(frozen=True, slots=True)
class Header:
    """What an image file says of itself.

    Attributes:
        format: one of ``FORMATS``, or MPO.
        mode: Pillow's name of the pixel layout.
        height, width: upright; a PNG whose orientation follows its pixels says so only when it is decoded.
        is_costly: whether decoding takes more memory than is usual for the format: a progressive JPEG is held as
            coefficients, and samples of more than 8 bits take two bytes.
        extra_bytes: of memory a pixel at the peak of decoding, beyond what is usual for the format.
    """

    format: str
    mode: str
    height: int
    width: int
    is_costly: bool = False
    extra_bytes: int = 0

    @property
    def pixels(self) -> int:
        return self.height * self.width


def blank(height: int, width: int) -> NDArray[np.uint8]:
    """Memory for an image, (height, width, 3)."""
    return np.empty((height, width, 3), dtype=np.uint8)


def read_header(file: BinaryIO, max_pixels: int) -> Header:
    """Read an image file's header. No pixel is decoded.

    Args:
        file: in one of ``FORMATS``.
        max_pixels: above which an image is of no interest but for its size.

    Raises:
        ImageFileError: not an image, or of a format or pixel layout that is not read.
    """
    webp = _webp_header(file)
    if webp is not None and webp.pixels > max_pixels:
        return webp
    fields = read_bit_fields(file)
    if fields is not None:
        return Header("BMP", "RGBA", fields.height, fields.width, extra_bytes=_CONVERTING_BYTES)
    layout = read_layout(file)
    if layout is not None and not layout.is_read_by_pillow():
        return _header_of_samples(layout)
    picture = _open_page(file, layout)
    width, height = picture.size
    # Pillow says the upright size of a TIFF, and the stored one of all others.
    if picture.format != "TIFF" and _orientation(picture) in _ON_THEIR_SIDE:
        width, height = height, width
    extra_bytes = 2 * _CONVERTING_BYTES if picture.info.get("transparency") and picture.mode == "RGB" else 0
    return Header(picture.format or "", picture.mode, height, width, _is_costly(picture), extra_bytes)


def decode_image(file: BinaryIO, allocate: Allocate = blank) -> NDArray[np.uint8]:
    """Decode an image.

    The first frame, turned as its EXIF orientation says. Transparency is composited on white; 16-bit and 32-bit
    samples are scaled to 8 bits.

    Args:
        file: in one of ``FORMATS``.
        allocate: makes the memory for the result, of its height and width.

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
        return _decoded("TIFF", lambda: _placed(_rgb_of_samples(file, layout), layout.orientation, allocate))
    picture = _open_page(file, layout)
    return _decoded(picture.format, lambda: _decode(picture, file, allocate))


def _decoded(name: str | None, decode: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    try:
        return decode()
    except ImageFileError:
        raise
    # Decoders of strangers' bytes raise whatever they like; all of it means the same to the sender.
    except Exception as error:
        raise _damaged(f"the {name} image cannot be decoded", error) from error


def _decode(picture: Image.Image, file: BinaryIO, allocate: Allocate) -> NDArray[np.uint8]:
    sample, deep = transparent_sample(picture), transparent_deep_pixels(picture, file)
    if sample is not None:
        picture.info["transparency"] = sample
    if deep is not None:
        file.seek(0)
        picture = _open(file)
        del picture.info["transparency"]
    announced = picture.size
    picture.load()
    if picture.format == "HEIF" and picture.size != announced:
        (width, height), (announced_width, announced_height) = picture.size, announced
        raise ImageDamagedError(
            f"the HEIF image has {width} x {height} pixels, and says that it has {announced_width} x {announced_height}"
        )
    if picture.format in ("JPEG", "MPO"):
        require_whole_scan(picture, file)
    image, stored = _allocate_upright(picture.height, picture.width, _orientation(picture), allocate)
    _write_rgb(picture, stored)
    if deep is not None:
        stored[deep] = 255
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
    image = allocate(width, height) if orientation in _ON_THEIR_SIDE else allocate(height, width)
    return image, _AS_STORED.get(orientation, _unturned)(image)


def _header_of_samples(layout: TiffLayout) -> Header:
    height, width = layout.height, layout.width
    if layout.orientation in _ON_THEIR_SIDE:
        height, width = width, height
    if min(height, width) < 1:
        raise ImageDamagedError(f"the TIFF file says that it has {width} x {height} pixels")
    extra_bytes = 3 * layout.samples * layout.sample_bytes + _CONVERTING_BYTES
    return Header("TIFF", "RGBA", height, width, extra_bytes=extra_bytes)


def _rgb_of_samples(file: BinaryIO, layout: TiffLayout) -> NDArray[np.uint8]:
    image = read_rgb(file, layout)
    grey = layout.photometric in (0, 1)
    profile = None if layout.photometric == 5 else find_profile(layout.tags.get(34675), "L" if grey else "RGB")
    if profile is not None:
        for top in range(0, len(image), _rows_of_strip(layout.width)):
            strip = Image.fromarray(image[top : top + _rows_of_strip(layout.width)])
            image[top : top + strip.height] = profile.to_srgb(strip.convert(profile.mode))
    return image


def read_orientation(file: BinaryIO) -> int:
    """EXIF orientation, 1 to 8, by which ``decode_image`` turns an image; 1 where there is none.

    Raises:
        ImageFileError: not an image, or of a format or pixel layout that is not read.
    """
    orientation = _orientation(_open(file))
    return orientation if isinstance(orientation, int) and orientation in range(1, 9) else 1


def upright(picture: Image.Image) -> Image.Image:
    """A loaded picture, turned as its EXIF orientation says; its mode and palette stay."""
    method = _TRANSPOSITIONS.get(_orientation(picture))
    return picture if method is None else picture.transpose(method)


def _webp_header(file: BinaryIO) -> Header | None:
    """A WebP file's, from its first bytes: the decoder takes the memory for all pixels when it is opened."""
    start = file.read(30)
    file.seek(0)
    if len(start) < 30 or start[:4] != b"RIFF" or start[8:12] != b"WEBP":
        return None
    match start[12:16]:
        case b"VP8 ":
            width, height = (int.from_bytes(start[at : at + 2], "little") & 0x3FFF for at in (26, 28))
        case b"VP8L":
            bits = int.from_bytes(start[21:25], "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            width, height = (int.from_bytes(start[at : at + 3], "little") + 1 for at in (24, 27))
        case _:
            return None
    return Header("WEBP", "RGBA", height, width)


def _open_page(file: BinaryIO, layout: TiffLayout | None) -> Image.Image:
    """A picture; of a TIFF the page that its layout is of."""
    picture = _open(file)
    if layout is not None and layout.page:
        try:
            picture.seek(layout.page)
        except Exception as error:
            raise _damaged("the TIFF file's pages cannot be read", error) from error
    return picture


def _open(file: BinaryIO) -> Image.Image:
    start = file.read(12)
    file.seek(0)
    if start[:3] == b"\xff\xd8\xff":
        require_readable(file)
    if start[4:8] == b"ftyp" or start[8:11] == b"CR\x02":
        unread = name_of(start)
        if unread is not None:
            raise UnsupportedImageError(f"the file is {unread}; readable are {', '.join(FORMATS)}")
    try:
        return Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        file.seek(0)
        raise _unidentified(file.read()) from error
    except Exception as error:
        raise _damaged("the image's header cannot be read", error) from error


def _damaged(what: str, error: Exception) -> ImageFileError:
    # Libraries tell a failed allocation in words of their own, and Pillow that of libtiff by a number.
    if isinstance(error, MemoryError) or re.search("memory|error -9$", str(error), re.IGNORECASE):
        return ImageMemoryError(f"{what} in the memory that an image of its size may take")
    return ImageDamagedError(f"{what}: {error}")


def _unidentified(data: bytes) -> ImageFileError:
    """Why no decoder took the bytes, as precisely as can be said."""
    if not data:
        return NotAnImageError("the image is empty: 0 bytes")
    unread = name_of(data)
    if unread is not None:
        return UnsupportedImageError(f"the file is {unread}; readable are {', '.join(FORMATS)}")
    for name in FORMATS:
        plugin, accepts = Image.OPEN[name]
        if accepts is None or not _accepts(accepts(data[:16])):
            continue
        try:
            plugin(BytesIO(data), "")
        except Exception as error:  # as in decode_image
            return _refused_by_plugin(name, data, error)
    return NotAnImageError(f"the file's {len(data)} bytes are no image; readable are {', '.join(FORMATS)}")


def _refused_by_plugin(name: str, data: bytes, error: Exception) -> ImageFileError:
    is_about_layout = "mode" in str(error) or "compression" in str(error)
    if is_about_layout and isinstance(error, (SyntaxError, ValueError, KeyError)):
        layout = _layout(name, data) or error
        return UnsupportedImageError(f"the file is a {name} file with a pixel layout that is not read: {layout}")
    return ImageDamagedError(f"the file starts like a {name} file, but its header is damaged: {error}")


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


def _orientation(picture: Image.Image) -> object:
    """EXIF's, as far as it has been read: 1 to 8, or nonsense."""
    try:
        # A PNG's own method would decode all of it.
        return Image.Image.getexif(picture).get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1  # unreadable EXIF spoils no pixel


def _is_costly(picture: Image.Image) -> bool:
    match picture.format:
        case "JPEG" | "MPO":
            return "progressive" in picture.info
        case "HEIF":
            return int(picture.info["bit_depth"]) > 8
        case _:
            return False


def _write_rgb(picture: Image.Image, image: NDArray[np.uint8]) -> None:
    """Convert a loaded picture strip by strip: besides it and the result there is next to nothing in memory."""
    convert = _to_srgb(picture)
    top = 0
    for strip in _strips(picture):
        image[top : top + strip.height] = convert(strip)
        top += strip.height


def _strips(picture: Image.Image) -> Iterator[Image.Image]:
    rows = _rows_of_strip(picture.width)
    if rows >= picture.height:
        yield picture
        return
    for top in range(0, picture.height, rows):
        yield picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _rows_of_strip(width: int) -> int:
    return max(1, _STRIP_PIXELS // width)


def _to_srgb(picture: Image.Image) -> Callable[[Image.Image], NDArray[np.uint8]]:
    """As ``_conversion``, with the picture's own colours as sRGB has them."""
    profile = find_profile(picture.info.get("icc_profile"), picture.mode)
    colors = find_colors(picture)
    if profile is None and colors is None:
        return _conversion(picture)
    has_alpha = picture.mode in _ALPHA_MODES or "transparency" in picture.info

    def opaque(strip: Image.Image) -> NDArray[np.uint8]:
        if strip.mode in _SIXTEEN_BIT_MODES:
            strip = Image.fromarray(_grey(strip, 65535)[..., 0])
        if profile is not None:
            return profile.to_srgb(strip if strip.mode == profile.mode else strip.convert(profile.mode))
        assert colors is not None
        return colors.to_srgb(_rgb(strip))

    if not has_alpha:
        return opaque

    def transparent(strip: Image.Image) -> NDArray[np.uint8]:
        if strip.mode in _SIXTEEN_BIT_MODES:
            alpha = (np.asarray(strip) != picture.info["transparency"])[..., None].astype(np.float64)
            return np.round(on_white(opaque(strip).astype(np.float64), alpha)).astype(np.uint8)
        layer = strip.convert("RGBA")
        alpha = np.asarray(layer.getchannel("A"))[..., None] / 255
        return np.round(on_white(opaque(layer.convert("RGB")).astype(np.float64), alpha)).astype(np.uint8)

    return transparent


def _conversion(picture: Image.Image) -> Callable[[Image.Image], NDArray[np.uint8]]:
    """How to make (rows, width, 3) or (rows, width, 1), uint8, of a strip of a picture."""
    if picture.mode in _SIXTEEN_BIT_MODES:
        return partial(_grey, full_scale=65535, transparent=picture.info.get("transparency"))
    if picture.mode in ("I", "F"):
        return partial(_grey, full_scale=_full_scale(picture))
    if picture.mode in _ALPHA_MODES or "transparency" in picture.info:
        return _on_white
    return _rgb


def _rgb(strip: Image.Image) -> NDArray[np.uint8]:
    try:
        return np.asarray(strip.convert("RGB"))
    except ValueError as error:
        detail = f"images with pixels of mode {strip.mode} are not read"
        raise UnsupportedImageError(detail) from error


def _on_white(strip: Image.Image) -> NDArray[np.uint8]:
    layer = strip.convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    return np.asarray(Image.alpha_composite(paper, layer).convert("RGB"))


def _full_scale(picture: Image.Image) -> int:
    """White of 32-bit samples: 1, 255 or 65535, whichever is the first that no sample exceeds."""
    greatest = 0.0
    for strip in _strips(picture):
        samples = np.asarray(strip)
        greatest = max(greatest, float(samples[np.isfinite(samples)].max(initial=0)))
    is_fraction = greatest <= 1 and picture.mode == "F"
    return 1 if is_fraction else 255 if greatest <= 255 else 65535


def _grey(strip: Image.Image, full_scale: int, transparent: int | None = None) -> NDArray[np.uint8]:
    """Samples of 0..full_scale as grey, clipped; transparent ones become white."""
    samples = np.asarray(strip)
    finite = np.nan_to_num(samples.astype(np.float64), nan=0, posinf=0, neginf=0)
    grey = np.clip(np.round(finite * (255 / full_scale)), 0, 255).astype(np.uint8)
    if transparent is not None:
        grey[samples == transparent] = 255
    return grey[..., None]


def _unturned(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image


_AS_STORED: Mapping[object, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.transpose(1, 0, 2),
    6: np.rot90,
    7: lambda image: np.rot90(image, 2).transpose(1, 0, 2),
    8: lambda image: np.rot90(image, -1),
}
"""By orientation: a view of an upright image, its rows and columns as a file has them."""

_TRANSPOSITIONS: Mapping[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By orientation: what makes a file's rows and columns an upright image's."""

_ON_THEIR_SIDE = (5, 6, 7, 8)
"""Orientations of files whose rows are columns of the image."""
