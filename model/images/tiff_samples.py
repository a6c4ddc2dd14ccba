"""Reading TIFF samples in layouts that Pillow does not read correctly, and converting them to colours."""

import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.errors import ImageDamagedError
from model.images.on_white import on_white
from model.images.profile import Profile, find_profile
from model.images.tiff import TiffLayout

_BLOCK_PIXELS = 1 << 16
"""Pixels converted at a time, to limit memory."""

_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

_PROFILE_MODES = {0: "L", 1: "L", 5: "CMYK"}
"""Pillow's mode that an ICC profile applies to, by photometric interpretation, if it is not RGB."""

Samples = NDArray[Any]
"""(height, width, samples), integers or floats as in the file."""


def read_rgb(file: BinaryIO, layout: TiffLayout) -> NDArray[np.uint8]:
    """Read the picture as stored, not turned upright: (height, width, 3), uint8 RGB, composited on white.

    Raises:
        ImageDamagedError: samples are missing.
    """
    samples = _read_samples(file, layout)
    height, width = samples.shape[:2]
    image = np.empty((height, width, 3), dtype=np.uint8)
    rows = max(1, _BLOCK_PIXELS // width)
    full_scale = _full_scale(samples, layout)
    palette = _palette(layout) if layout.photometric == 3 else None
    profile = find_profile(layout.tags.get(34675), _PROFILE_MODES.get(layout.photometric, "RGB"))
    for top in range(0, height, rows):
        part = samples[top : top + rows]
        colors = _colors(part, layout, full_scale, palette, profile)
        if layout.alpha:
            alpha = _scaled(part[..., layout.colors, None], full_scale) / 255
            colors = on_white(colors, alpha)
        image[top : top + rows] = np.round(np.clip(colors, 0, 255)).astype(np.uint8)
    return image


def _read_samples(file: BinaryIO, layout: TiffLayout) -> Samples:
    height, width, count = layout.height, layout.width, layout.samples
    planes = count if layout.is_planar else 1
    is_tiled = layout.number(322, 0) > 0
    rows = layout.number(323, 0) if is_tiled else min(layout.number(278, height), height)
    columns = layout.number(322, 0) if is_tiled else width
    if min(rows, columns) < 1:
        raise ImageDamagedError(f"the TIFF file's parts have {rows} x {columns} pixels")
    offsets = layout.numbers(324 if is_tiled else 273)
    lengths = layout.numbers(325 if is_tiled else 279)
    corners = [(y, x) for y in range(0, height, rows) for x in range(0, width, columns)]
    places = [(plane, *corner) for plane in range(planes) for corner in corners]
    if len(offsets) < len(places):
        raise ImageDamagedError(f"the TIFF file has {len(offsets)} of {len(places)} parts")
    if len(lengths) < len(places):
        if layout.compression != 1:
            raise ImageDamagedError(f"the TIFF file gives the lengths of {len(lengths)} of {len(places)} parts")
        lengths = (1 << 40,) * len(places)
    samples = np.empty((height, width, count), dtype=_dtype(layout))
    for (plane, y, x), offset, length in zip(places, offsets, lengths, strict=False):
        high = rows if is_tiled else min(rows, height - y)
        part = _part(_bytes(file, offset, length), layout, high, columns, count // planes)
        target = samples[y : y + high, x : x + columns, plane : plane + count // planes]
        target[:] = part[: target.shape[0], : target.shape[1]]
    return samples


def _bytes(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def _dtype(layout: TiffLayout) -> np.dtype[Any]:
    kind = {1: "u", 2: "i", 3: "f"}[layout.sample_format]
    return np.dtype(f"{kind}{layout.sample_bytes}")


def _part(data: bytes, layout: TiffLayout, height: int, width: int, count: int) -> Samples:
    """Decode a strip or a tile: (height, width, count)."""
    if layout.number(266, 1) == 2:
        data = data.translate(_REVERSED_BITS)
    if layout.photometric == 6 and layout.subsampling != (1, 1):
        return _shared_colors(data, layout, height, width)
    row_bytes = (width * count * layout.bits + 7) // 8
    rows = _decompressed(data, layout.compression, height, row_bytes)
    if layout.predictor == 3:
        return _floats_of_differences(rows, width, count)
    if layout.bits in (8, 16, 32, 64):
        stored = rows.view(_dtype(layout).newbyteorder(layout.order)).reshape(height, width, count)
        if layout.predictor == 2:
            unsigned = stored.astype(f"u{layout.sample_bytes}") if layout.sample_format != 3 else _as_integers(stored)
            return np.cumsum(unsigned, axis=1, dtype=unsigned.dtype).view(_dtype(layout))
        return stored
    return np.concatenate(list(_unpacked(rows, layout.bits, width * count))).reshape(height, width, count)


def _as_integers(stored: Samples) -> Samples:
    return stored.astype(stored.dtype.newbyteorder("=")).view(f"u{stored.dtype.itemsize}")


def _decompressed(data: bytes, compression: int, height: int, row_bytes: int) -> NDArray[np.uint8]:
    """Decompress rows of bytes, (height, row_bytes), with libtiff, disguised as a grey picture."""
    if compression == 1:
        if len(data) < height * row_bytes:
            raise ImageDamagedError(f"a part of the TIFF file has {len(data)} bytes of {height * row_bytes}")
        return np.frombuffer(data, np.uint8, height * row_bytes).reshape(height, row_bytes)
    tags = {256: row_bytes, 257: height, 258: 8, 259: compression, 262: 1, 273: 8, 277: 1, 278: height, 279: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    padded = data + bytes(len(data) % 2)
    file = b"II*\0" + struct.pack("<I", 8 + len(padded)) + padded + directory
    with Image.open(BytesIO(file), formats=["TIFF"]) as picture:
        return np.array(picture)


def _unpacked(rows: NDArray[np.uint8], bits: int, count: int) -> Iterator[Samples]:
    """Unpack numbers of 1 to 16 bits, most significant bit first."""
    weights = (1 << np.arange(bits - 1, -1, -1)).astype(np.uint16)
    block = max(1, _BLOCK_PIXELS // count)
    for top in range(0, len(rows), block):
        ones = np.unpackbits(rows[top : top + block], axis=1, count=count * bits).reshape(-1, count, bits)
        yield (ones @ weights).astype(np.uint8 if bits < 8 else np.uint16)


def _floats_of_differences(rows: NDArray[np.uint8], width: int, count: int) -> Samples:
    """Undo predictor 3: differences of bytes, the most significant bytes of a row first."""
    height, row_bytes = rows.shape
    size = row_bytes // (width * count)
    summed = np.cumsum(rows.reshape(height, -1, count), axis=1, dtype=np.uint8)
    together = np.ascontiguousarray(summed.reshape(height, size, width * count).transpose(0, 2, 1))
    return together.view(f">f{size}").reshape(height, width, count)


def _shared_colors(data: bytes, layout: TiffLayout, height: int, width: int) -> Samples:
    """Read subsampled YCbCr: units of several luma samples and the two chroma samples that they share."""
    across, down = layout.subsampling
    high, wide = -(-height // down), -(-width // across)
    size = across * down + 2
    units = _decompressed(data, layout.compression, high, wide * size).reshape(high, wide, size)
    luminance = units[..., :-2].reshape(high, wide, down, across).transpose(0, 2, 1, 3)
    colors = units[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
    whole = np.concatenate([luminance.reshape(high * down, wide * across, 1), colors], axis=-1)
    return whole[:height, :width]


def _full_scale(samples: Samples, layout: TiffLayout) -> float:
    """Value of white; for 32-bit integers and floats, the first of the usual values that no colour sample exceeds."""
    if layout.sample_format == 1 and layout.bits <= 16:
        return float((1 << layout.bits) - 1)
    if layout.sample_format == 2 and layout.bits <= 16:
        return float((1 << layout.bits - 1) - 1)
    greatest = 0.0
    for row in samples[..., : layout.colors]:
        greatest = max(greatest, float(row[np.isfinite(row)].max(initial=0)))
    scales = (1.0, 255.0, 65535.0) if layout.sample_format == 3 else (255.0, 65535.0)
    last = 65535.0 if layout.sample_format == 3 else float((1 << 32 - (layout.sample_format == 2)) - 1)
    return next((scale for scale in scales if greatest <= scale), last)


def _colors(
    samples: Samples, layout: TiffLayout, full_scale: float, palette: NDArray[np.uint8] | None, profile: Profile | None
) -> NDArray[np.float64]:
    """Convert samples to sRGB, not premultiplied: (rows, width, 3 or 1), 0..255."""
    if palette is not None:
        colors = palette[np.minimum(samples[..., 0], len(palette) - 1)].astype(np.float64)
    else:
        colors = _scaled(samples[..., : layout.colors], full_scale)
        if layout.alpha == 1:
            alpha = _scaled(samples[..., layout.colors, None], full_scale) / 255
            colors = np.clip(colors / np.where(alpha > 0, alpha, 1), 0, 255)
        if layout.photometric == 0:
            colors = 255 - colors
        if layout.photometric == 6:
            colors = np.clip(_rgb_of_ycbcr(colors, layout), 0, 255)
    if profile is not None:
        return _srgb(colors, profile)
    return (255 - colors[..., :3]) * (255 - colors[..., 3:]) / 255 if layout.photometric == 5 else colors


def _srgb(colors: NDArray[np.float64], profile: Profile) -> NDArray[np.float64]:
    stored = np.round(colors).astype(np.uint8)
    strip = Image.fromarray(stored[..., 0] if profile.mode == "L" else stored, mode=profile.mode)
    return profile.to_srgb(strip).astype(np.float64)


def _scaled(samples: Samples, full_scale: float) -> NDArray[np.float64]:
    numbers = np.nan_to_num(samples.astype(np.float64), nan=0, posinf=0, neginf=0)
    return np.clip(numbers * (255 / full_scale), 0, 255)


def _palette(layout: TiffLayout) -> NDArray[np.uint8]:
    values = np.array(layout.numbers(320), dtype=np.int64)
    if not len(values) or len(values) % 3:
        raise ImageDamagedError(f"the TIFF file's palette has {len(values)} values")
    colors = values.reshape(3, -1).T
    return (colors if layout.has_eight_bit_colors else colors >> 8).clip(0, 255).astype(np.uint8)


def _rgb_of_ycbcr(colors: NDArray[np.float64], layout: TiffLayout) -> NDArray[np.float64]:
    red, green, blue = _fractions(layout, 529, (0.299, 0.587, 0.114))
    black_y, white_y, black_b, white_b, black_r, white_r = _fractions(layout, 532, (0, 255, 128, 255, 128, 255))
    y = (colors[..., 0] - black_y) * 255 / ((white_y - black_y) or 1)
    cb = (colors[..., 1] - black_b) * 127 / ((white_b - black_b) or 1)
    cr = (colors[..., 2] - black_r) * 127 / ((white_r - black_r) or 1)
    r, b = y + cr * (2 - 2 * red), y + cb * (2 - 2 * blue)
    g = (y - red * r - blue * b) / (green or 1)
    return np.stack([r, g, b], axis=-1)


def _fractions(layout: TiffLayout, tag: int, default: tuple[float, ...]) -> tuple[float, ...]:
    values: Any = layout.tags.get(tag, default)
    is_sound = isinstance(values, tuple) and len(values) == len(default)
    return tuple(float(value) for value in values) if is_sound else default
