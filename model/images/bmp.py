"""BMP files whose pixels are bit fields, with any masks."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from model.errors import ImageDamagedError
from model.images.on_white import on_white

_BIT_FIELDS = (3, 6)
_BLOCK_PIXELS = 1 << 16


@dataclass(frozen=True, slots=True)
class BitFields:
    """Position and bit layout of a BMP file's pixels.

    Attributes:
        height, width: size of the image in pixels.
        is_bottom_up: whether the first row stored is the lowest.
        offset: position of the first row in the file, in bytes.
        bits: bits per pixel, 16 or 32.
        masks: bit masks of red, green, blue and alpha; an alpha mask of 0 means no alpha.
    """

    height: int
    width: int
    is_bottom_up: bool
    offset: int
    bits: int
    masks: tuple[int, int, int, int]

    def read_rgb(self, file: BinaryIO) -> NDArray[np.uint8]:
        """Read the image: (height, width, 3), uint8 RGB, composited on white.

        Raises:
            ImageDamagedError: pixels are missing.
        """
        row_bytes = (self.width * self.bits + 31) // 32 * 4
        image = np.empty((self.height, self.width, 3), dtype=np.uint8)
        file.seek(self.offset)
        block = max(1, _BLOCK_PIXELS // self.width)
        for top in range(0, self.height, block):
            count = min(block, self.height - top)
            data = file.read(count * row_bytes)
            if len(data) < count * row_bytes:
                raise ImageDamagedError(f"the BMP image ends after {top} of {self.height} rows")
            rows = np.frombuffer(data, f"<u{self.bits // 8}").reshape(count, -1)[:, : self.width].astype(np.int64)
            image[top : top + count] = self._colors(rows)
        return np.flipud(image) if self.is_bottom_up else image

    def _colors(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        fields = [_field(rows, mask) for mask in self.masks]
        colors = np.stack(fields[:3], axis=-1)
        if self.masks[3]:
            colors = on_white(colors, fields[3][..., None] / 255)
        return np.round(colors).astype(np.uint8)


def read_bit_fields(file: BinaryIO) -> BitFields | None:
    """Read the bit fields of a BMP file; None if it is not a BMP file, or its pixels are not bit fields.

    Raises:
        ImageDamagedError: its header is inconsistent.
    """
    file.seek(0)
    start = file.read(70)
    file.seek(0)
    if len(start) < 54 or start[:2] != b"BM":
        return None
    offset, header_bytes, width, height, _, bits, compression = struct.unpack("<IIiiHHI", start[10:34])
    if header_bytes < 40 or compression not in _BIT_FIELDS or bits not in (16, 32):
        return None
    count = 4 if header_bytes >= 56 or compression == 6 else 3
    if len(start) < 54 + 4 * count:
        raise ImageDamagedError("the BMP file's header ends early")
    masks = struct.unpack(f"<{count}I", start[54 : 54 + 4 * count])
    if width < 1 or height == 0 or not any(masks[:3]):
        raise ImageDamagedError(f"the BMP file's header is damaged: {width} x {height} pixels, masks {masks}")
    red, green, blue, alpha = (*masks, 0)[:4]
    return BitFields(abs(height), width, height > 0, offset, bits, (red, green, blue, alpha))


def _field(rows: NDArray[np.int64], mask: int) -> NDArray[np.float64]:
    """Extract the bits under a mask, scaled to 0..255."""
    if not mask:
        return np.zeros(rows.shape)
    lowest = mask & -mask
    return np.asarray(((rows & mask) // lowest) * (255 / (mask // lowest)), dtype=np.float64)
