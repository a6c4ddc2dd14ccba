"""AVIF files that ask to be cropped when shown."""

import struct

from PIL import Image

from model.errors import UnsupportedImageError

_APERTURE = b"\0\0\0\x28clap"


def require_whole(picture: Image.Image, data: bytes) -> None:
    """Refuse an AVIF file whose clean aperture, which Pillow ignores, crops the image.

    Raises:
        UnsupportedImageError: the clean aperture is smaller than the image.
    """
    at = data.find(_APERTURE)
    values = data[at + 8 : at + 24]
    if at < 0 or len(values) < 16:
        return
    width, width_divisor, height, height_divisor = struct.unpack(">4I", values)
    if (width, height) != (picture.width * width_divisor, picture.height * height_divisor):
        detail = f"the AVIF image is cropped by its metadata (clean aperture, {width}/{width_divisor} x "
        detail += f"{height}/{height_divisor} of its {picture.width} x {picture.height} pixels), which is not supported"
        raise UnsupportedImageError(detail)
