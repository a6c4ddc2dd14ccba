"""PNG features that Pillow lacks: transparent samples that are not of 8 bits, gamma and primaries, long texts, and
detection of missing rows.
"""

import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, PngImagePlugin

from model.errors import ImageDamagedError

_SRGB_GAMMA = 1 / 2.2
_SRGB_PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
"""Chromaticities x and y of white, red, green and blue."""

_XYZ_OF_SRGB = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_NEAR = 0.01
"""Maximum difference at which a gamma or chromaticity counts as sRGB's."""

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples per pixel, by colour type."""

_INTERLACED = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""Passes of an interlaced picture: first row, first column, row step and column step."""

_PROFILE_BYTES = 1 << 24
"""Maximum size of an ICC profile, in bytes."""

_INFLATED_BYTES = 1 << 20
"""Bytes of pixels inflated at a time."""


@dataclass(frozen=True, slots=True)
class PngColors:
    """Colour space of a PNG, from its chunks gAMA and cHRM.

    Attributes:
        gamma: exponent that maps linear light to a sample.
        matrix: (3, 3), from linear light to that of sRGB's primaries; None if the file has the same primaries.
    """

    gamma: float
    matrix: NDArray[np.float64] | None

    def to_srgb(self, colors: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Convert samples of 8 or 16 bits, (..., C), to uint8 sRGB; C is 3, or 1 for grey."""
        light = _light(self.gamma, 1 << 8 * colors.itemsize)
        if self.matrix is None or colors.shape[-1] == 1:
            return _encoded(light)[colors]
        return _encoded(np.clip(light[colors] @ self.matrix.T, 0, 1))


def find_colors(picture: Image.Image) -> PngColors | None:
    """Find the colour space of a PNG without an ICC profile; None if it is sRGB or not specified."""
    gamma = picture.info.get("gamma")
    if picture.format != "PNG" or "icc_profile" in picture.info or "srgb" in picture.info or not gamma:
        return None
    matrix = _matrix(picture.info.get("chromaticity"))
    if matrix is None and abs(gamma - _SRGB_GAMMA) < _NEAR:
        return None
    return PngColors(gamma, matrix)


def stored_mode(picture: Image.Image) -> str:
    """Return Pillow's mode of the pixels as stored, before loading: Pillow reads 16-bit grey with alpha as RGBA."""
    is_deep_grey = picture.format == "PNG" and bool(_tiles(picture)) and _raw_mode(picture) == "LA;16B"
    return "LA" if is_deep_grey else picture.mode


def transparent_sample(picture: Image.Image) -> int | None:
    """Return the transparent grey, 0..255, of a PNG of 2 or 4 bits: Pillow scales the samples, but not this value."""
    value = picture.info.get("transparency")
    if picture.format != "PNG" or picture.mode != "L" or not isinstance(value, int) or not _tiles(picture):
        return None
    factor = {"L;2": 85, "L;4": 17}.get(str(_raw_mode(picture)))
    return None if factor is None else value * factor


def transparent_deep_pixels(picture: Image.Image, file: BinaryIO) -> NDArray[np.bool_] | None:
    """Return which pixels of a 16-bit RGB PNG equal its transparent colour in all 16 bits: (height, width).

    None for other pictures.
    """
    color = picture.info.get("transparency")
    if picture.format != "PNG" or picture.mode != "RGB" or not isinstance(color, tuple):
        return None
    if not _tiles(picture) or _raw_mode(picture) != "RGB;16B":
        return None
    pixels = np.ones((picture.height, picture.width), dtype=np.bool_)
    for raw_mode, shift in (("RGB;16B", 8), ("RGB;16L", 0)):
        file.seek(0)
        half = Image.open(file, formats=["PNG"])
        half.info.pop("transparency", None)
        half.tile = [tile._replace(args=raw_mode) for tile in _tiles(half)]
        half.load()
        bytes_ = np.asarray(half)
        for channel in range(3):
            pixels &= bytes_[..., channel] == (color[channel] >> shift & 0xFF)
    return pixels


def require_all_rows(picture: Image.Image, file: BinaryIO) -> None:
    """Refuse a decoded PNG whose compressed data ends early: Pillow silently leaves the missing part black.

    Raises:
        ImageDamagedError: rows are missing.
    """
    is_interlaced = bool(picture.info.get("interlace"))
    last_row = picture.crop((0, picture.height - 1, picture.width, picture.height))
    if not is_interlaced and np.asarray(last_row).any():
        return
    file.seek(24)
    bits, color_type = file.read(2)
    pixel_bits = bits * _CHANNELS[color_type]
    steps = _INTERLACED if is_interlaced else ((0, 0, 1, 1),)
    sizes = [
        (len(range(top, picture.height, down)), len(range(left, picture.width, across)))
        for top, left, down, across in steps
    ]
    wanted = sum(height * (1 + -(-width * pixel_bits // 8)) for height, width in sizes if width)
    found = _inflated_bytes(file)
    if found < wanted:
        raise ImageDamagedError(f"the PNG image's compressed data ends after {found} of {wanted} bytes of pixels")


def _inflated_bytes(file: BinaryIO) -> int:
    """Count the bytes that the IDAT chunks inflate to."""
    inflater, total = zlib.decompressobj(), 0
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        data = file.read(length)
        file.seek(4, 1)
        while name == b"IDAT" and data:
            total += len(inflater.decompress(data, _INFLATED_BYTES))
            data = inflater.unconsumed_tail
    return total + len(inflater.flush())


def forgive_long_texts() -> None:
    """Make Pillow skip texts that are too long for it instead of refusing the PNG, and read longer ICC profiles."""
    stream = PngImagePlugin.PngStream
    texts = {name: _forgiving(getattr(stream, name)) for name in ("chunk_zTXt", "chunk_iTXt", "chunk_tEXt")}
    for name, reader in {**texts, "chunk_iCCP": _read_profile}.items():
        setattr(stream, name, reader)


def _read_profile(stream: Any, _: int, length: int) -> bytes:
    """Read an ICC profile's chunk, which Pillow limits to the length of a text; ignore a damaged profile."""
    data: bytes = ImageFile._safe_read(stream.fp, length)
    compressed = data[data.find(b"\0") + 2 :]
    inflater = zlib.decompressobj()
    with suppress(zlib.error):
        profile = inflater.decompress(compressed, _PROFILE_BYTES)
        if inflater.eof:
            stream.im_info["icc_profile"] = profile
    return data


def _forgiving(read: Callable[[Any, int, int], bytes]) -> Callable[[Any, int, int], bytes]:
    def read_or_skip(stream: Any, position: int, length: int) -> bytes:
        start = stream.fp.tell()
        try:
            return read(stream, position, length)
        except ValueError:
            stream.fp.seek(start)
            return ImageFile._safe_read(stream.fp, length)

    return read_or_skip


def _raw_mode(picture: Image.Image) -> object:
    tile = _tiles(picture)[0]
    return tile.args[0] if isinstance(tile.args, tuple) else tile.args


def _tiles(picture: Image.Image) -> list[Any]:
    return picture.tile if isinstance(picture, ImageFile.ImageFile) else []


def _matrix(chromaticity: object) -> NDArray[np.float64] | None:
    if not isinstance(chromaticity, tuple) or len(chromaticity) != 8:
        return None
    if np.abs(np.array(chromaticity) - _SRGB_PRIMARIES).max() < _NEAR:
        return None
    points = np.array(chromaticity, dtype=np.float64).reshape(4, 2)
    if (points[:, 1] <= 0).any():
        return None
    white, *primaries = [np.array([x / y, 1, (1 - x - y) / y]) for x, y in points]
    columns = np.stack(primaries, axis=1)
    if abs(np.linalg.det(columns)) < 1e-6:
        return None
    to_xyz = columns * np.linalg.solve(columns, white)
    # White maps to white, whatever its colour temperature.
    matrix = np.linalg.solve(_XYZ_OF_SRGB, to_xyz)
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True), dtype=np.float64)


@lru_cache(maxsize=4)
def _light(gamma: float, levels: int) -> NDArray[np.float64]:
    """Table of the linear light, 0..1, of each sample."""
    return np.asarray((np.arange(levels) / (levels - 1)) ** (1 / gamma))


def _encoded(light: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Encode linear light, 0..1, as uint8 sRGB."""
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return np.round(curve * 255).astype(np.uint8)
