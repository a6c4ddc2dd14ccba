"""BMP files of every header version, depth and compression."""

import struct
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray

from model.errors import UnsupportedImageError
from model.images import decode_image, read_header

_COLORS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]])
_PALETTE = np.array([[9, 8, 7], [250, 10, 30], [20, 240, 40], [60, 50, 230]])
_HEADERS = (12, 40, 52, 56, 64, 108, 124)
"""Header lengths in bytes: OS/2 1, Windows 3, with masks, with an alpha mask, OS/2 2, Windows 4 and 5."""

_BIT_FIELDS = 3
_RLE8, _RLE4 = 1, 2


def _bmp(
    size: tuple[int, int],
    bits: int,
    body: bytes,
    *,
    header_bytes: int = 40,
    compression: int = 0,
    masks: Sequence[int] = (),
    palette: NDArray[np.int64] | None = None,
) -> bytes:
    """A BMP file of (height, width); a negative height means that the first row is the top one."""
    height, width = size
    if header_bytes == 12:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        used = 0 if palette is None else len(palette)
        head = struct.pack("<IiiHHIIiiII", header_bytes, width, height, 1, bits, compression, len(body), 0, 0, used, 0)
        head = (head + struct.pack(f"<{len(masks)}I", *masks)).ljust(header_bytes, b"\0")
    if palette is not None:
        entries = palette[:, ::-1].astype(np.uint8)
        if header_bytes == 12:
            entries = np.concatenate([entries, np.zeros(((1 << bits) - len(entries), 3), np.uint8)])
        else:
            entries = np.pad(entries, ((0, 0), (0, 1)))
        head += entries.tobytes()
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(body), 0, 0, 14 + len(head)) + head + body


def _rows(values: NDArray[np.int64], bits: int) -> bytes:
    """Rows packed into bits, padded to four bytes, bottom row first."""
    rows = b""
    for row in values[::-1]:
        packed = np.packbits((row[:, None] >> np.arange(bits)[::-1] & 1).ravel().astype(np.uint8)).tobytes()
        rows += packed + bytes(-len(packed) % 4)
    return rows


def _assert_shown(file: bytes, expected: NDArray[np.int64]) -> None:
    header = read_header(BytesIO(file), 1 << 30)
    assert (header.height, header.width) == expected.shape[:2]
    np.testing.assert_array_equal(decode_image(BytesIO(file)), expected)


@pytest.mark.parametrize("header_bytes", [40, 56, 108, 124])
@pytest.mark.parametrize("is_bottom_up", [False, True])
@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (32, (0xFF, 0xFF00, 0xFF0000)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF)),
        (16, (0xF800, 0x7E0, 0x1F)),
        (16, (0xF, 0xF0, 0xF00)),
    ],
)
def test_fields_of_any_masks_are_read(bits: int, masks: tuple[int, ...], is_bottom_up: bool, header_bytes: int) -> None:
    pixels = (_COLORS // 255) @ np.array(masks)
    body = (pixels[::-1] if is_bottom_up else pixels).astype(f"<u{bits // 8}").tobytes()
    size = (2 if is_bottom_up else -2, 2)
    # With the shortest header, the masks follow it, and there is no alpha mask.
    stored = masks if header_bytes == 40 else (*masks, 0)
    file = _bmp(size, bits, body, header_bytes=header_bytes, compression=_BIT_FIELDS, masks=stored)
    _assert_shown(file, _COLORS)


@pytest.mark.parametrize("header_bytes", [56, 108, 124])
def test_a_mask_of_alpha_shows_white(header_bytes: int) -> None:
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    body = struct.pack("<3I", 0xFF0A141E, 0x000A141E, 0x800A141E)
    file = _bmp((1, 3), 32, body, header_bytes=header_bytes, compression=_BIT_FIELDS, masks=masks)
    _assert_shown(file, np.array([[[10, 20, 30], [255, 255, 255], [132, 137, 142]]]))


@pytest.mark.parametrize("header_bytes", _HEADERS)
@pytest.mark.parametrize("bits", [1, 4, 8])
def test_palettes_of_every_header_are_read(bits: int, header_bytes: int) -> None:
    colors = _PALETTE[: 1 << min(bits, 2)]
    indices = np.random.default_rng(0).integers(0, len(colors), (5, 13))
    file = _bmp((5, 13), bits, _rows(indices, bits), header_bytes=header_bytes, palette=colors)
    _assert_shown(file, colors[indices])


@pytest.mark.parametrize("header_bytes", _HEADERS)
def test_colours_of_24_bits_of_every_header_are_read(header_bytes: int) -> None:
    colors = np.random.default_rng(0).integers(0, 256, (5, 7, 3))
    rows = b"".join(row.astype(np.uint8)[:, ::-1].tobytes() + bytes(-21 % 4) for row in colors[::-1])
    _assert_shown(_bmp((5, 7), 24, rows, header_bytes=header_bytes), colors)


@pytest.mark.parametrize("header_bytes", [40, 108, 124])
def test_the_fourth_byte_of_32_bits_without_masks_is_no_alpha(header_bytes: int) -> None:
    file = _bmp((1, 2), 32, bytes([30, 20, 10, 0, 60, 50, 40, 9]), header_bytes=header_bytes)
    _assert_shown(file, np.array([[[10, 20, 30], [40, 50, 60]]]))


def test_16_bits_without_masks_are_five_of_each_colour() -> None:
    file = _bmp((1, 2), 16, struct.pack("<2H", 0x7C00, 0x03FF))
    _assert_shown(file, np.array([[[255, 0, 0], [0, 255, 255]]]))


def test_a_picture_whose_first_row_is_the_highest_is_read() -> None:
    file = _bmp((-2, 2), 24, bytes([1, 2, 3] * 2 + [0, 0] + [4, 5, 6] * 2 + [0, 0]))
    _assert_shown(file, np.array([[[3, 2, 1]] * 2, [[6, 5, 4]] * 2]))


@pytest.mark.parametrize(
    ("bits", "compression", "body"),
    [
        (8, _RLE8, bytes([3, 1, 0, 0, 0, 3, 1, 2, 3, 0, 0, 1])),
        (4, _RLE4, bytes([3, 0x11, 0, 0, 0, 3, 0x12, 0x30, 0, 1])),
    ],
    ids=["8 bits", "4 bits"],
)
def test_run_lengths_are_read(bits: int, compression: int, body: bytes) -> None:
    file = _bmp((2, 3), bits, body, compression=compression, palette=_PALETTE)
    _assert_shown(file, _PALETTE[[[1, 2, 3], [1, 1, 1]]])


@pytest.mark.parametrize(("bits", "compression"), [(2, 0), (64, 0), (0, 5)])
def test_what_no_reader_has_is_no_damage(bits: int, compression: int) -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 3, 2, 1, bits, compression, 0, 0, 0, 0, 0)
    file = b"BM" + struct.pack("<IHHI", 200, 0, 0, 54) + header + bytes(146)
    with pytest.raises(UnsupportedImageError, match="unsupported layout: Unsupported BMP"):
        decode_image(BytesIO(file))
