"""Small TIFF files in layouts that Pillow does not write but this project's own code reads."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Order = Literal["<", ">"]
_LITTLE: Order = "<"
_BIG: Order = ">"
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_DEFLATE = 8
_TILE = 32


def tiff_seeds(pixels: NDArray[np.uint8]) -> dict[str, bytes]:
    """Name -> bytes of a TIFF file.

    Args:
        pixels: (height, width, 3), uint8 RGB.
    """
    deep, grey = pixels.astype(np.int64) * 257, pixels[..., 1].astype(np.int64)
    alpha = np.concatenate([deep, np.full_like(deep[..., :1], 40000)], axis=-1)
    inks = np.concatenate([65535 - deep, np.zeros_like(deep[..., :1])], axis=-1)
    planes = [deep[..., channel].astype(">u2").tobytes() for channel in range(3)]
    size = pixels.shape[:2]
    colors = np.arange(48) * 1365
    floats = zlib.compress((grey / 255).astype(">f4").tobytes())
    differences = np.diff(deep, axis=1, prepend=0).astype("<u2").tobytes()
    return {
        "tiff-16-bit-planes": _tiff(size, _RGB, (16,) * 3, planes, _BIG, {284: [2]}),
        "tiff-16-bit-white-is-zero": _tiff(size, _WHITE_IS_ZERO, (16,), [(grey * 257).astype("<u2").tobytes()]),
        "tiff-16-bit-alpha": _tiff(size, _RGB, (16,) * 4, [alpha.astype("<u2").tobytes()], more={338: [2]}),
        "tiff-16-bit-premultiplied": _tiff(size, _RGB, (16,) * 4, [alpha.astype("<u2").tobytes()], more={338: [1]}),
        "tiff-16-bit-cmyk": _tiff(size, _CMYK, (16,) * 4, [inks.astype(">u2").tobytes()], _BIG),
        "tiff-16-bit-tiles": _tiff(size, _RGB, (16,) * 3, _tiles(deep), more={322: [_TILE], 323: [_TILE]}),
        "tiff-16-bit-predictor": _tiff(
            size, _RGB, (16,) * 3, [zlib.compress(differences)], more={259: [_DEFLATE], 317: [2]}
        ),
        "tiff-12-bit": _tiff(size, _BLACK_IS_ZERO, (12,), [_packed(grey * 16, 12)]),
        "tiff-12-bit-reversed": _tiff(size, _BLACK_IS_ZERO, (12,), [_packed(grey * 16, 12)], more={266: [2]}),
        "tiff-4-bit-palette": _tiff(size, _PALETTE, (4,), [_packed(grey // 16, 4)], more={320: colors.tolist()}),
        "tiff-32-bit": _tiff(size, _BLACK_IS_ZERO, (32,), [(grey << 24).astype(">u4").tobytes()], _BIG),
        "tiff-float-big-endian": _tiff(size, _BLACK_IS_ZERO, (32,), [floats], _BIG, {259: [_DEFLATE], 339: [3]}),
        "tiff-ycbcr": _tiff(size, _YCBCR, (8,) * 3, [_shared_colors(pixels)], more={530: [2, 2]}),
        "tiff-reduced-first": _tiff(size, _RGB, (8,) * 3, [pixels.tobytes()], has_reduced=True),
    }


def _tiff(
    size: tuple[int, ...],
    photometric: int,
    bits: Sequence[int],
    parts: Sequence[bytes],
    order: Order = _LITTLE,
    more: Mapping[int, Sequence[int]] | None = None,
    *,
    has_reduced: bool = False,
) -> bytes:
    """Build an image in strips, or in tiles if ``more`` has a tile width; optionally after a reduced image."""
    offsets, data = [], bytearray(8)
    for part in parts:
        offsets.append(len(data))
        data += part + bytes(len(part) % 2)
    lengths = [len(part) for part in parts]
    height, width = size
    tags: dict[int, Sequence[int]] = {
        256: [width],
        257: [height],
        258: bits,
        259: [1],
        262: [photometric],
        277: [len(bits)],
        **(more or {}),
    }
    are_tiles = 322 in tags
    places = {324: offsets, 325: lengths} if are_tiles else {273: offsets, 278: [height], 279: lengths}
    first = _append_directory(data, {**tags, **places}, order, following=0)
    if has_reduced:
        reduced = {254: [1], 256: [1], 257: [1], 258: [8], 259: [1], 262: [1], 273: [8], 277: [1], 278: [1], 279: [1]}
        first = _append_directory(data, reduced, order, following=first)
    data[:8] = (b"II*\0" if order == _LITTLE else b"MM\0*") + struct.pack(f"{order}I", first)
    return bytes(data)


def _append_directory(data: bytearray, tags: Mapping[int, Sequence[int]], order: Order, following: int) -> int:
    """Append a directory and the values of its tags; return the directory's offset."""
    entries = b""
    for tag in sorted(tags):
        is_long = max(tags[tag]) > 0xFFFF
        packed = struct.pack(f"{order}{len(tags[tag])}{'I' if is_long else 'H'}", *tags[tag])
        place = packed.ljust(4, b"\0")
        if len(packed) > 4:
            place = struct.pack(f"{order}I", len(data))
            data += packed
        entries += struct.pack(f"{order}HHI", tag, 4 if is_long else 3, len(tags[tag])) + place
    offset = len(data)
    data += struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", following)
    return offset


def _packed(grey: NDArray[np.int64], bits: int) -> bytes:
    """Pack each row into bits, most significant first, padded to a whole byte."""
    ones = (grey[..., None] >> np.arange(bits)[::-1] & 1).astype(np.uint8)
    return np.packbits(ones.reshape(len(grey), -1), axis=1).tobytes()


def _tiles(pixels: NDArray[np.int64]) -> list[bytes]:
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % _TILE), (0, -width % _TILE), (0, 0))).astype("<u2")
    corners = [(top, left) for top in range(0, height, _TILE) for left in range(0, width, _TILE)]
    return [padded[top : top + _TILE, left : left + _TILE].tobytes() for top, left in corners]


def _shared_colors(samples: NDArray[np.uint8]) -> bytes:
    """Pack subsampled units of four luminances and two colours; the colours themselves do not matter."""
    height, width = samples.shape[:2]
    padded = np.pad(samples, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    luminance = padded[..., 0].reshape(padded.shape[0] // 2, 2, -1, 2).transpose(0, 2, 1, 3)
    units = [luminance.reshape(*luminance.shape[:2], 4), padded[::2, ::2, 1:]]
    return np.concatenate(units, axis=-1).tobytes()
