import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.errors import ImageDamagedError
from model.images import decode_image
from tests.model.images.encoding import encoded, interlaced_png, packed_samples, png

_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_CHANNELS = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGB_ALPHA: 4}
_LAYOUTS = [
    *((_GREY, bits) for bits in (1, 2, 4, 8, 16)),
    *((_PALETTE, bits) for bits in (1, 2, 4, 8)),
    *((color_type, bits) for color_type in (_RGB, _GREY_ALPHA, _RGB_ALPHA) for bits in (8, 16)),
]
"""All combinations of the format: (colour type, bits per sample)."""


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_transparent_grey_of_every_depth_becomes_white(bits: int) -> None:
    greatest = (1 << bits) - 1
    rows = [b"\0"]
    image = decode_image(BytesIO(png(1, 1, bits, 0, rows, (b"tRNS", struct.pack(">H", 0)))))
    assert image.tolist() == [[[255, 255, 255]]]
    opaque = decode_image(BytesIO(png(1, 1, bits, 0, rows, (b"tRNS", struct.pack(">H", greatest)))))
    assert opaque.tolist() == [[[0, 0, 0]]]


def test_a_grey_of_four_bits_is_transparent_alone() -> None:
    file = png(4, 1, 4, 0, [bytes([0x05, 0xAF])], (b"tRNS", struct.pack(">H", 5)))
    assert decode_image(BytesIO(file))[0, :, 0].tolist() == [0, 255, 170, 255]


def test_a_transparent_colour_of_16_bits_differs_in_its_low_bytes_too() -> None:
    row = struct.pack(">6H", 0x1234, 0x5678, 0x9ABC, 0x1235, 0x5678, 0x9ABC)
    file = png(2, 1, 16, 2, [row], (b"tRNS", row[:6]))
    assert decode_image(BytesIO(file))[0].tolist() == [[255, 255, 255], [0x12, 0x56, 0x9A]]


def test_linear_light_becomes_srgb() -> None:
    file = png(2, 1, 8, 2, [bytes([55] * 6)], (b"gAMA", struct.pack(">I", 100_000)))
    assert np.abs(decode_image(BytesIO(file)).astype(int) - 128).max() <= 1


def test_gamma_is_of_no_meaning_beside_srgb() -> None:
    file = png(1, 1, 8, 2, [bytes([55] * 3)], (b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000)))
    assert decode_image(BytesIO(file)).tolist() == [[[55, 55, 55]]]


def test_the_red_of_wider_primaries_is_stronger() -> None:
    adobe = struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
    file = png(1, 1, 8, 2, [bytes([100, 200, 100])], (b"gAMA", struct.pack(">I", 45455)), (b"cHRM", adobe))
    red, green, blue = decode_image(BytesIO(file))[0, 0].tolist()
    assert red < 90
    assert green >= 195
    assert blue < 105


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt"])
def test_a_long_text_spoils_no_pixel(name: bytes) -> None:
    head = b"Comment\0\0" if name == b"zTXt" else b"Comment\0\1\0\0\0"
    file = png(1, 1, 8, 2, [bytes([1, 2, 3])], (name, head + zlib.compress(bytes(2_000_000))))
    assert decode_image(BytesIO(file)).tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (9, 13)])
@pytest.mark.parametrize("is_interlaced", [False, True])
@pytest.mark.parametrize(("color_type", "bits"), _LAYOUTS)
def test_every_colour_type_and_depth_is_read(
    color_type: int, bits: int, is_interlaced: bool, size: tuple[int, int]
) -> None:
    height, width = size
    samples = np.random.default_rng(bits).integers(0, 1 << bits, (height, width, _CHANNELS[color_type]))
    palette = np.random.default_rng(0).integers(0, 256, (1 << min(bits, 8), 3))
    before = ((b"PLTE", palette.astype(np.uint8).tobytes()),) if color_type == _PALETTE else ()
    if is_interlaced:
        file = interlaced_png(samples, bits, color_type, *before)
    else:
        file = png(width, height, bits, color_type, [packed_samples(row, bits) for row in samples], *before)
    expected = (
        palette[samples[..., 0]]
        if color_type == _PALETTE
        else _shown(samples.astype(np.float64) * (255 / ((1 << bits) - 1)))
    )
    # Where Pillow does not scale 16-bit samples, it drops the low byte.
    assert np.abs(decode_image(BytesIO(file)) - expected).max() <= 1 + (bits == 16)


def _shown(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours of samples, 0..255, composited on white."""
    has_alpha = samples.shape[-1] in (2, 4)
    colors, alpha = (samples[..., :-1], samples[..., -1:] / 255) if has_alpha else (samples, np.array(1))
    return np.broadcast_to(colors * alpha + 255 * (1 - alpha), (*samples.shape[:2], 3))


@pytest.mark.parametrize("default_image", [False, True])
def test_of_an_animation_the_picture_is_taken_that_readers_of_still_pictures_show(default_image: bool) -> None:
    frames = [Image.new("RGB", (5, 4), color) for color in ("red", "lime", "blue")]
    options: dict[str, object] = {"save_all": True, "append_images": frames[1:], "default_image": default_image}
    file = encoded(frames[0], "PNG", **options)
    assert b"acTL" in file
    np.testing.assert_array_equal(decode_image(BytesIO(file)), np.broadcast_to([255, 0, 0], (4, 5, 3)))


@pytest.mark.parametrize(("color_type", "bits"), [(_GREY, 4), (_GREY, 8), (_GREY, 16), (_RGB, 8), (_RGB, 16)])
@pytest.mark.parametrize("is_interlaced", [False, True])
def test_linear_light_of_every_depth_becomes_srgb(is_interlaced: bool, color_type: int, bits: int) -> None:
    sample = round(0.2 * ((1 << bits) - 1))
    samples = np.full((4, 4, _CHANNELS[color_type]), sample)
    gamma = (b"gAMA", struct.pack(">I", 100_000))
    if is_interlaced:
        file = interlaced_png(samples, bits, color_type, gamma)
    else:
        file = png(4, 4, bits, color_type, [packed_samples(row, bits) for row in samples], gamma)
    assert np.abs(decode_image(BytesIO(file)).astype(int) - 124).max() <= 1  # 1.055 * 0.2 ** (1 / 2.4) - 0.055


def test_linear_light_becomes_srgb_before_white_shines_through() -> None:
    file = png(1, 1, 8, _RGB_ALPHA, [bytes([51, 51, 51, 128])], (b"gAMA", struct.pack(">I", 100_000)))
    assert np.abs(decode_image(BytesIO(file)).astype(int) - round(124 * 128 / 255 + 127)).max() <= 1


@pytest.mark.parametrize("is_interlaced", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_compressed_data_of_too_few_rows_is_damaged(bits: int, is_interlaced: bool) -> None:
    samples = np.random.default_rng(0).integers(0, 1 << bits, (96, 130, 3))
    if is_interlaced:
        whole = interlaced_png(samples, bits, _RGB)
    else:
        whole = png(130, 96, bits, _RGB, [packed_samples(row, bits) for row in samples])
    at = whole.index(b"IDAT")
    pixels = zlib.decompressobj().decompress(whole[at + 4 :])
    chunk = b"IDAT" + zlib.compress(pixels[: len(pixels) // 2])
    file = (
        whole[: at - 4] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + whole[-12:]
    )
    with pytest.raises(ImageDamagedError, match=r"compressed data ends|truncated"):
        decode_image(BytesIO(file))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (9, 13)])
def test_a_black_picture_has_all_its_rows(bits: int, size: tuple[int, int]) -> None:
    samples = np.zeros((*size, 1), dtype=np.int64)
    rows = [packed_samples(row, bits) for row in samples]
    for file in (png(size[1], size[0], bits, _GREY, rows), interlaced_png(samples, bits, _GREY)):
        assert not decode_image(BytesIO(file)).any()


def test_linear_greys_of_16_bits_become_srgb_before_they_become_8_bits() -> None:
    samples = np.arange(0, 65536, 37).reshape(1, -1, 1)
    rows = [packed_samples(row, 16) for row in samples]
    file = png(samples.size, 1, 16, _GREY, rows, (b"gAMA", struct.pack(">I", 100_000)))
    light = samples[0] / 65535
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    assert np.abs(decode_image(BytesIO(file))[0] - expected).max() <= 1
