"""WebP files: an animation's first frame is read, on its screen."""

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from model.images import decode_image
from tests.model.images.encoding import encoded


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


@pytest.mark.parametrize(("left", "top"), [(0, 0), (4, 2), (8, 6)])
def test_around_a_first_frame_that_is_smaller_than_the_screen_it_is_white(left: int, top: int) -> None:
    frame = np.full((4, 6, 3), (200, 10, 20), dtype=np.uint8)
    pixels = encoded(Image.fromarray(frame), "WEBP", lossless=True)[12:]
    place = b"".join(number.to_bytes(3, "little") for number in (left // 2, top // 2, 5, 3, 100)) + b"\0"
    screen = bytes([2, 0, 0, 0]) + (13).to_bytes(3, "little") + (9).to_bytes(3, "little")
    background = struct.pack("<IH", 0xFF0A141E, 0)
    body = _chunk(b"VP8X", screen) + _chunk(b"ANIM", background) + _chunk(b"ANMF", place + pixels)
    file = b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
    expected = np.full((10, 14, 3), 255)
    expected[top : top + 4, left : left + 6] = frame
    np.testing.assert_array_equal(decode_image(BytesIO(file)), expected)
