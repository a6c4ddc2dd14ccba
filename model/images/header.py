"""An image file's header: its format and size, read without decoding a pixel."""

from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from model.errors import ImageDamagedError
from model.images.bmp import read_bit_fields
from model.images.jpeg import read_frame
from model.images.opening import open_page, open_picture
from model.images.orientation import is_on_its_side, orientation_of
from model.images.tiff import TiffLayout, read_layout

_CONVERSION_BYTES = 8
"""Upper bound on the bytes per pixel that conversion takes in addition to samples and result."""


@dataclass(frozen=True, slots=True)
class Header:
    """Format, size and decoding cost that an image file declares.

    Attributes:
        format: one of ``opening.FORMATS``, or MPO.
        mode: Pillow's name of the pixel layout.
        height, width: size of the upright image in pixels; the orientation of a PNG that stores it after its pixels is
            known only once it is decoded.
        is_costly: whether decoding takes more memory than usual for the format: a JPEG of several scans is held as
            coefficients, and samples of more than 8 bits take two bytes.
        extra_bytes: bytes per pixel at the peak of decoding, in addition to what is usual for the format.
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


def read_header(file: BinaryIO, max_pixels: int) -> Header:
    """Read an image file's header. No pixel is decoded.

    Args:
        file: image file in one of ``opening.FORMATS``.
        max_pixels: limit above which only the size of an image is read.

    Raises:
        ImageFileError: not an image, or of an unsupported format or pixel layout.
    """
    webp = _webp_header(file)
    if webp is not None and webp.pixels > max_pixels:
        return webp
    fields = read_bit_fields(file)
    if fields is not None:
        return Header("BMP", "RGBA", fields.height, fields.width, extra_bytes=_CONVERSION_BYTES)
    layout = read_layout(file)
    if layout is not None and not layout.is_read_by_pillow():
        return _header_of_samples(layout)
    picture = open_page(file, layout)
    width, height = picture.size
    # Pillow reports the upright size of a TIFF, but the stored size of all others.
    if picture.format != "TIFF" and is_on_its_side(orientation_of(picture)):
        width, height = height, width
    extra_bytes = 2 * _CONVERSION_BYTES if picture.info.get("transparency") and picture.mode == "RGB" else 0
    return Header(picture.format or "", picture.mode, height, width, _is_costly(picture, file), extra_bytes)


def read_orientation(file: BinaryIO) -> int:
    """Read the EXIF orientation, 1 to 8, by which ``decode_image`` turns an image; 1 if there is none.

    Raises:
        ImageFileError: not an image, or of an unsupported format or pixel layout.
    """
    layout = read_layout(file)
    orientation = orientation_of(open_picture(file)) if layout is None else layout.orientation
    return orientation if isinstance(orientation, int) and orientation in range(1, 9) else 1


def _webp_header(file: BinaryIO) -> Header | None:
    """Read a WebP file's header from its first bytes: its decoder allocates memory for all pixels once opened."""
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


def _header_of_samples(layout: TiffLayout) -> Header:
    height, width = layout.height, layout.width
    if is_on_its_side(layout.orientation):
        height, width = width, height
    if min(height, width) < 1:
        raise ImageDamagedError(f"the TIFF file declares {width} x {height} pixels")
    extra_bytes = 3 * layout.samples * layout.sample_bytes + _CONVERSION_BYTES
    return Header("TIFF", "RGBA", height, width, extra_bytes=extra_bytes)


def _is_costly(picture: Image.Image, file: BinaryIO) -> bool:
    match picture.format:
        case "JPEG" | "MPO":
            file.seek(0)
            return not read_frame(file.read()).has_one_scan
        case "HEIF":
            return int(picture.info["bit_depth"]) > 8
        case _:
            return False
