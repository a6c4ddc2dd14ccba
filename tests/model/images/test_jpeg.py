import struct
from base64 import b64decode
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from model.errors import ImageDamagedError, UnsupportedImageError
from model.images import decode_image, read_header
from tests.model.images.encoding import encoded

_BLOCKS = np.random.default_rng(0).integers(0, 255, (12, 18, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
_OPTIONS: tuple[dict[str, object], ...] = (
    {},
    {"subsampling": 0},
    {"restart_marker_rows": 1},
    {"restart_marker_blocks": 3},
    {"subsampling": "4:2:2"},
)


@pytest.mark.parametrize("share", [0.6, 0.75, 0.9])
@pytest.mark.parametrize("options", _OPTIONS, ids=str)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_scan_that_ends_early_is_damaged_though_its_end_marker_is_there(
    mode: str, options: dict[str, object], share: float
) -> None:
    file = encoded(Image.fromarray(_BLOCKS).convert(mode), "JPEG", quality=90, **options)
    cut = file[: int(len(file) * share)].rstrip(b"\xff") + b"\xff\xd9"
    with pytest.raises(ImageDamagedError, match="scan ends"):
        decode_image(BytesIO(cut))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"restart_marker_rows": 1}], ids=str)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_the_last_of_several_scans_ends_early(mode: str, options: dict[str, object], share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (96, 144, 3), dtype=np.uint8)
    file = encoded(Image.fromarray(noise).convert(mode), "JPEG", progressive=True, **options)
    cut = file[: int(len(file) * share)].rstrip(b"\xff") + b"\xff\xd9"
    with pytest.raises(ImageDamagedError, match="scan ends"):
        decode_image(BytesIO(cut))


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (16, 16), (130, 70)])
@pytest.mark.parametrize("options", [*_OPTIONS, {"progressive": True}], ids=str)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_sound_picture_of_one_colour_is_read(mode: str, options: dict[str, object], size: tuple[int, int]) -> None:
    file = encoded(Image.new("RGB", size, (250, 250, 250)).convert(mode), "JPEG", **options)
    assert decode_image(BytesIO(file)).shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    ("frame", "bits", "name"), [(0xC1, 12, "12 bits"), (0xC3, 8, "lossless"), (0xF7, 8, "JPEG-LS")]
)
def test_processes_that_are_not_read_are_refused_by_name(frame: int, bits: int, name: str) -> None:
    file = b"\xff\xd8\xff" + bytes([frame]) + b"\0\x0b" + bytes([bits]) + b"\0\x08\0\x08\x01\x01\x11\0\xff\xd9"
    with pytest.raises(UnsupportedImageError, match=name):
        decode_image(BytesIO(file))


def test_lossless_jpegs_jpeg_ls_and_12_bits_are_refused_by_name() -> None:
    deep = _BLOCKS.astype(np.uint16) << 4
    files = {
        "a lossless JPEG": imagecodecs.ljpeg_encode(_BLOCKS[..., 0].copy()),
        "a JPEG-LS image": imagecodecs.jpegls_encode(_BLOCKS),
        "a JPEG of 12 bits per sample": imagecodecs.jpeg8_encode(deep, bitspersample=12),
    }
    for name, file in files.items():
        with pytest.raises(UnsupportedImageError, match=f"the file is {name}; supported are baseline and progressive"):
            decode_image(BytesIO(bytes(file)))


_ARITHMETIC = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYU"
    "GBIUFRT/yQALCAAQABABAREA/8wABgAQEAX/2gAIAQEAAD8A/wDcs9dcLZJHGZ1I8rjEnNHgeh6v2/jv5mAMCKD/2Q=="
)
"""A ramp from 0 to 255 in 16 x 16 pixels, quality 90, coded by jpegtran without Huffman tables."""


def test_an_arithmetically_coded_jpeg_is_read() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = decode_image(BytesIO(encoded(Image.fromarray(ramp), "JPEG", quality=90)))
    np.testing.assert_array_equal(decode_image(BytesIO(_ARITHMETIC)), expected)


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": "4:1:1"}, {"subsampling": "4:2:0"}, {"keep_rgb": True}],
    ids=str,
)
def test_every_usual_coding_gives_nearly_the_pixels_back(options: dict[str, object]) -> None:
    smooth = np.asarray(Image.fromarray(_BLOCKS[::16, ::16].copy()).resize((144, 96), Image.Resampling.BICUBIC))
    image = decode_image(BytesIO(encoded(Image.fromarray(smooth), "JPEG", quality=98, **options)))
    assert np.abs(image.astype(np.int64) - smooth).mean() < 4


@pytest.mark.parametrize("transform", [0, 2])
def test_four_inks_are_read_as_their_adobe_marker_says(transform: int) -> None:
    inks = Image.new("CMYK", (16, 16), (30, 200, 60, 40))
    data = encoded(inks, "JPEG", quality=100)
    at = data.index(b"Adobe") + 11
    assert data[at] in (0, 2)
    stored = inks if data[at] == transform else _as_ycck(inks)
    file = bytearray(encoded(stored, "JPEG", quality=100))
    file[file.index(b"Adobe") + 11] = transform
    expected = np.asarray(inks.convert("RGB")).astype(np.int64)
    assert np.abs(decode_image(BytesIO(bytes(file))) - expected).max() <= 4


def _as_ycck(inks: Image.Image) -> Image.Image:
    """Convert inks to YCCK: inks are stored inverted, so they become RGB before they become YCbCr."""
    cyan, magenta, yellow, black = inks.split()
    luminance, blue, red = Image.merge("RGB", [cyan, magenta, yellow]).convert("YCbCr").split()
    inverted = [band.point(lambda value: 255 - value) for band in (luminance, blue, red)]
    return Image.merge("CMYK", [*inverted, black])


def test_an_arithmetic_scan_of_too_few_rows_is_damaged() -> None:
    file = _ARITHMETIC.replace(struct.pack(">HH", 16, 16), struct.pack(">HH", 4096, 16))
    with pytest.raises(ImageDamagedError, match="scan ends"):
        decode_image(BytesIO(file))


def test_an_arithmetic_scan_is_read_as_a_whole_since_its_decoder_cannot_wait() -> None:
    block_bytes = 1 << 16  # Pillow reads this much at a time
    comment_bytes = block_bytes - len(_ARITHMETIC) + 10
    comment = b"\xff\xfe" + struct.pack(">H", comment_bytes - 2) + bytes(comment_bytes - 4)
    file = _ARITHMETIC[:2] + comment + _ARITHMETIC[2:]
    np.testing.assert_array_equal(decode_image(BytesIO(file)), decode_image(BytesIO(_ARITHMETIC)))


def test_a_picture_of_several_scans_takes_more_memory() -> None:
    whole = encoded(Image.fromarray(_BLOCKS), "JPEG")
    progressive = encoded(Image.fromarray(_BLOCKS), "JPEG", progressive=True)
    assert not read_header(BytesIO(whole), 1 << 30).is_costly
    assert read_header(BytesIO(progressive), 1 << 30).is_costly
