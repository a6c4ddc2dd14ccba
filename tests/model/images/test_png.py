import struct
import zlib
from io import BytesIO

import numpy as np
import pytest

from model.images import decode_image
from tests.model.images.encoding import png


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
