from io import BytesIO

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.api.oip.raw_tiff import raw_tiff
from app.images.decode import decode_image, read_header


@given(st.integers(1, 80), st.integers(1, 80), st.integers(0, 2**32 - 1))
def test_pixels_come_out_of_the_decoder_as_they_went_in(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = raw_tiff(memoryview(pixels.tobytes()), height, width)
    header = read_header(BytesIO(file), 10**6)
    assert (header.format, header.mode, header.height, header.width) == ("TIFF", "RGB", height, width)
    np.testing.assert_array_equal(decode_image(BytesIO(file)), pixels)


def test_a_large_image_is_one_strip() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2000, 3000, 3), dtype=np.uint8)
    file = raw_tiff(memoryview(pixels.tobytes()), 2000, 3000)
    assert file.endswith(pixels.tobytes())
    with Image.open(BytesIO(file)) as picture:
        assert picture.tag_v2[279] == (pixels.size,)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(decode_image(BytesIO(file)), pixels)
