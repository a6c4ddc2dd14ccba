"""TIFF files with samples of any number of bits, palettes and inks, which tifffile reads but does not write."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from tests.model.images.encoding import packed_samples
from tests.model.images.tiff_bytes import Order, Tags, tiff

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, INKS = 0, 1, 2, 3, 5
_COLORS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, INKS: 4}
NO_COMPRESSION, LZW, DEFLATE, PACK_BITS = 1, 5, 8, 32773
UNSPECIFIED, PREMULTIPLIED, STRAIGHT = 0, 1, 2
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_TILE = 16
_ROWS = 7
"""Rows per strip."""


@dataclass(frozen=True, slots=True)
class PackedLayout:
    """Storage of the samples, in the numbers of the specification's tags.

    Attributes:
        extra: meaning of an additional sample beside the colours; None if there is none.
        are_colors_small: whether the palette's values are 0..255, as some programs write it.
    """

    photometric: int
    bits: int
    planar: bool = False
    order: Order = "<"
    compression: int = NO_COMPRESSION
    fill_order: int = 1
    tiled: bool = False
    size: tuple[int, int] = (19, 33)
    extra: int | None = None
    are_colors_small: bool = False

    def __str__(self) -> str:
        return "-".join(str(getattr(self, name)) for name in self.__dataclass_fields__)

    @property
    def channels(self) -> int:
        return _COLORS[self.photometric] + (self.extra is not None)


def samples_of(layout: PackedLayout) -> NDArray[np.int64]:
    """Random samples, (height, width, channels)."""
    shape = (*layout.size, layout.channels)
    return np.random.default_rng(layout.bits).integers(0, 1 << layout.bits, shape)


def write_packed(layout: PackedLayout) -> bytes:
    """Bytes of a file with a layout's samples."""
    height, width = layout.size
    samples = samples_of(layout)
    planes = [samples[..., at, None] for at in range(layout.channels)] if layout.planar else [samples]
    parts = [_compressed(part, layout) for plane in planes for part in _parts(plane, layout)]
    tags: dict[int, list[int]] = {
        256: [width],
        257: [height],
        258: [layout.bits] * layout.channels,
        259: [layout.compression],
        262: [layout.photometric],
        266: [layout.fill_order],
        277: [layout.channels],
        284: [1 + layout.planar],
        **({322: [_TILE], 323: [_TILE]} if layout.tiled else {278: [_ROWS]}),
    }
    if layout.extra is not None:
        tags[338] = [layout.extra]
    if layout.photometric == PALETTE:
        tags[320] = (_palette(layout) * (1 if layout.are_colors_small else 257)).T.ravel().tolist()
    directory: Tags = tags
    return tiff(directory, *parts, order=layout.order)


def shown_packed(layout: PackedLayout) -> NDArray[np.float64]:
    """Colours of a layout's samples by the specification's formulas, on white: (height, width, 3), 0..255."""
    samples = samples_of(layout)
    scaled = samples * (255 / ((1 << layout.bits) - 1))
    match layout.photometric:
        case 0:
            colors = 255 - scaled[..., :1]
        case 3:
            colors = _palette(layout)[samples[..., 0]].astype(np.float64)
        case 5:
            colors = (255 - scaled[..., :3]) * (255 - scaled[..., 3:4]) / 255
        case _:
            colors = scaled[..., : _COLORS[layout.photometric]]
    if layout.extra in (PREMULTIPLIED, STRAIGHT):
        alpha = scaled[..., -1:] / 255
        colors = (colors if layout.extra == PREMULTIPLIED else colors * alpha) + 255 * (1 - alpha)
    return np.clip(np.broadcast_to(colors, (*layout.size, 3)), 0, 255)


def packed_matrix() -> Iterator[PackedLayout]:
    """Yield all meaningful layouts."""
    orders: tuple[Order, ...] = ("<", ">")
    compressions = (NO_COMPRESSION, LZW, DEFLATE, PACK_BITS)
    stored = product(_COLORS, (1, 2, 4, 6, 8, 10, 12, 14), (False, True), orders, compressions, (1, 2), (False, True))
    shown = list(product(((1, 1), (19, 33)), (None, UNSPECIFIED, PREMULTIPLIED, STRAIGHT), (False, True)))
    for photometric, bits, planar, order, compression, fill_order, tiled in stored:
        if fill_order == 2 and compression not in (NO_COMPRESSION, LZW):
            continue
        for size, extra, are_small in shown:
            if photometric == PALETTE or not are_small:
                yield PackedLayout(
                    *(photometric, bits, planar, order, compression, fill_order, tiled), size, extra, are_small
                )


def _parts(plane: NDArray[np.int64], layout: PackedLayout) -> Iterator[NDArray[np.int64]]:
    height, width = layout.size
    if not layout.tiled:
        yield from (plane[top : top + _ROWS] for top in range(0, height, _ROWS))
        return
    padded = np.pad(plane, ((0, -height % _TILE), (0, -width % _TILE), (0, 0)))
    for top, left in product(range(0, height, _TILE), range(0, width, _TILE)):
        yield padded[top : top + _TILE, left : left + _TILE]


def _compressed(part: NDArray[np.int64], layout: PackedLayout) -> bytes:
    data = b"".join(packed_samples(row, layout.bits) for row in part)
    match layout.compression:
        case 5:
            data = bytes(imagecodecs.lzw_encode(data))
        case 8:
            data = zlib.compress(data)
        case 32773:
            data = bytes(imagecodecs.packbits_encode(data))
    return data.translate(_REVERSED_BITS) if layout.fill_order == 2 else data


def _palette(layout: PackedLayout) -> NDArray[np.int64]:
    """Palette of a layout, (colours, 3), 0..255."""
    return np.random.default_rng(0).integers(0, 256, (1 << layout.bits, 3))
