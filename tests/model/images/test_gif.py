"""GIF files: an animation's first frame is read, on its screen."""

import struct
from io import BytesIO
from itertools import product

import numpy as np
import pytest
from PIL import Image

from model.images import decode_image, read_header
from tests.model.images.encoding import encoded

_PALETTE = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (10, 20, 30))
_SCREEN = (6, 5)
"""Width and height of the screen in pixels."""

_BACKGROUND = 2


def _gif(left: int, top: int, *, transparent: int | None = None, is_local: bool = False) -> bytes:
    """A GIF with one frame of two adjacent pixels, in the palette's first two colours."""
    palette = bytes(value for color in _PALETTE for value in color)
    screen = b"GIF89a" + struct.pack("<HHBBB", *_SCREEN, 0 if is_local else 0x81, _BACKGROUND, 0)
    control = b"\x21\xf9\x04" + struct.pack("<BHBB", transparent is not None, 0, transparent or 0, 0)
    frame = b"," + struct.pack("<HHHHB", left, top, 2, 1, 0x81 if is_local else 0)
    codes = 4 | 0 << 3 | 1 << 6 | 5 << 9  # clear, the two pixels, end
    pixels = b"\x02\x02" + struct.pack("<H", codes) + b"\0"
    parts = (screen, control, frame, palette) if is_local else (screen, palette, control, frame)
    return b"".join(parts) + pixels + b";"


@pytest.mark.parametrize(("left", "top"), list(product((0, 2, 4), repeat=2)))
@pytest.mark.parametrize("is_local", [False, True])
@pytest.mark.parametrize("transparent", [None, 0, 3])
def test_around_a_first_frame_that_is_smaller_than_the_screen_it_is_white(
    transparent: int | None, is_local: bool, left: int, top: int
) -> None:
    file = _gif(left, top, transparent=transparent, is_local=is_local)
    expected = np.full((5, 6, 3), 255)
    expected[top, left : left + 2] = _PALETTE[:2]
    if transparent == 0:
        expected[top, left] = 255
    header = read_header(BytesIO(file), 1 << 30)
    assert (header.width, header.height) == _SCREEN
    np.testing.assert_array_equal(decode_image(BytesIO(file)), expected)


@pytest.mark.parametrize("interlace", [0, 1])
@pytest.mark.parametrize("colors", [2, 4, 16, 256])
def test_palettes_of_every_depth_are_read(colors: int, interlace: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (19, 23, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels).quantize(colors)
    frames = [picture.transpose(Image.Transpose.ROTATE_180)]
    file = encoded(picture, "GIF", interlace=interlace, save_all=True, append_images=frames)
    np.testing.assert_array_equal(decode_image(BytesIO(file)), np.asarray(picture.convert("RGB")))
