from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from benchmarks.photograph import NAMES, equal_share, photograph, read_mask
from model.labels import VOC


def png(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_a_photograph_is_the_same_jpeg_each_time(name: str) -> None:
    data = photograph(name)
    assert data == photograph(name)
    picture = Image.open(BytesIO(data))
    assert (picture.format, picture.size) == ("JPEG", (500, 375))


def test_masks_are_read_from_indices_and_from_colours() -> None:
    mask = np.array([[0, 8, 255], [20, 15, 1]], dtype=np.uint8)
    indexed = Image.fromarray(mask)
    indexed.putpalette(VOC.palette.tobytes())
    colored = Image.fromarray(VOC.palette[mask])
    assert np.array_equal(read_mask(png(indexed), VOC), mask)
    assert np.array_equal(read_mask(png(colored), VOC), mask)


def test_equality_is_a_share_of_the_pixels() -> None:
    mask = np.array([[1, 2], [3, 4]], dtype=np.uint8)
    assert equal_share(mask, mask) == 1
    assert equal_share(mask, np.array([[1, 2], [3, 0]], dtype=np.uint8)) == 0.75
    assert equal_share(mask, mask[:1]) == 0
