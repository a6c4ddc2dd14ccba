from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from app.formats.png_writer import PngWriter

PALETTE = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
PICTURES = st.tuples(st.integers(1, 60), st.integers(1, 40)).flatmap(lambda shape: arrays(np.uint8, shape))


def _opened(file: bytes) -> Image.Image:
    picture = Image.open(BytesIO(file))
    picture.load()
    return picture


@settings(max_examples=60)
@given(pixels=PICTURES, cuts=st.lists(st.integers(0, 60), max_size=5).map(sorted), coloured=st.booleans())
def test_others_read_what_was_written_wherever_it_was_cut(
    pixels: NDArray[np.uint8], cuts: list[int], coloured: bool
) -> None:
    height, width = pixels.shape
    writer = PngWriter(height, width, {"Key": "a text"}, PALETTE if coloured else None)
    edges = [0, *(min(cut, height - 1) for cut in cuts), height]
    file = b"".join(writer.write(pixels[top:bottom]) for top, bottom in pairwise(edges))
    picture = _opened(file)
    assert picture.mode == ("P" if coloured else "L")
    assert picture.info["Key"] == "a text"
    np.testing.assert_array_equal(np.asarray(picture), pixels)
    if coloured:
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), PALETTE[pixels])


def test_a_part_of_a_file_shows_its_first_rows_and_is_known_to_be_a_part() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2000, 100), dtype=np.uint8)
    writer = PngWriter(2000, 100, {})
    part = writer.write(pixels[:1500])
    assert b"IEND" not in part
    picture = Image.open(BytesIO(part))
    with pytest.raises(OSError, match="truncated"):
        picture.load()
    assert writer.write(pixels[1500:]).endswith(b"IEND\xaeB`\x82")


def test_masks_become_small_files() -> None:
    mask = np.kron(np.random.default_rng(0).integers(0, 21, (8, 8), dtype=np.uint8), np.ones((50, 50), np.uint8))
    assert len(PngWriter(400, 400, {}, PALETTE).write(mask)) < 400 * 400 / 40
