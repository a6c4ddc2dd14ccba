from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.client.images import decode, encode
from app.client.masks import count_pixels, decode_mask
from app.client.segmentation import ClassInfo, Segmentation, shares
from app.formats.png_writer import PngWriter
from app.images.decode import decode_image


def test_pillow_s_limit_on_pixels_does_not_hit_masks_and_overlays(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.arange(600, dtype=np.uint8).reshape(20, 30) % 3
    png = PngWriter(20, 30, {}, np.zeros((256, 3), dtype=np.uint8)).write(mask)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(BytesIO(png))
    assert np.array_equal(decode_mask(png), mask)
    classes = tuple(ClassInfo(index, str(index), (index, 0, 0)) for index in range(3))
    photograph = encode(np.zeros((20, 30, 3), dtype=np.uint8))
    found = Segmentation(mask, shares(mask, classes), "digest", None, {}, photograph)
    assert np.array_equal(np.asarray(found.overlay(alpha=1))[..., 0], mask)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_pictures_of_every_mode_look_here_as_they_look_in_the_service(mode: str) -> None:
    values = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    if mode in ("I;16", "I", "F"):
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        picture = Image.fromarray(values.astype(kind) * (200 if mode != "F" else 1))
    else:
        picture = Image.fromarray(values).convert("RGB").convert(mode)
    assert picture.mode == mode
    data = encode(picture)
    ours = np.asarray(decode(data)).astype(int)
    assert np.abs(ours - decode_image(BytesIO(data))).max() <= 1


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4, 3)), np.zeros((4, 4, 4), dtype=np.uint8), np.zeros(4, dtype=np.uint8), np.zeros((0, 4), np.uint8)],
)
def test_arrays_that_are_no_images_are_refused(array: Any) -> None:
    with pytest.raises(ValueError, match="is no image"):
        encode(array)


def test_what_is_no_image_at_all_is_refused() -> None:
    wrong: Any = 7
    with pytest.raises(TypeError, match="int is no image"):
        encode(wrong)
    with pytest.raises(ValueError, match="of a format that Pillow does not read here"):
        decode(b"neither")


def test_pixels_are_counted_in_bands() -> None:
    mask = np.random.default_rng(0).integers(0, 256, (700, 11), dtype=np.uint8)
    assert count_pixels(mask) == np.bincount(mask.ravel(), minlength=256).tolist()
