from io import BytesIO, StringIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any
from zipfile import ZipFile

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


def straight(mode: str) -> Image.Image:
    """A picture in colours or greys whose opacity increases to the right."""
    values = np.random.default_rng(0).integers(0, 256, (6, 13, 3 if mode == "RGBA" else 1), np.uint8)
    alpha = np.tile(np.arange(0, 260, 20, dtype=np.uint8), (6, 1))[..., None]
    return Image.frombytes(mode, (13, 6), np.concatenate([values, alpha], axis=2).tobytes())


@pytest.mark.parametrize(("mode", "straight_mode"), [("RGBa", "RGBA"), ("La", "LA")])
def test_a_premultiplied_picture_is_seen_as_the_straight_one(mode: str, straight_mode: str) -> None:
    picture = straight(straight_mode)
    expected = decode_image(BytesIO(encode(picture))).astype(int)
    seen = decode_image(BytesIO(encode(picture.convert(mode))))
    assert expected.std() > 10
    assert np.abs(seen - expected).max() <= 12  # not all of the 20 levels of alpha, and so of colour, are kept


@pytest.mark.parametrize(("mode", "kind"), [("I;16B", ">u2"), ("I;16L", "<u2"), ("I;16N", "=u2")])
def test_16_bit_pictures_of_every_order_of_bytes_are_seen_alike(mode: str, kind: str) -> None:
    values = np.arange(96, dtype=np.uint16).reshape(8, 12) * 600
    picture = Image.frombytes(mode, (12, 8), values.astype(kind).tobytes())
    seen = decode_image(BytesIO(encode(picture)))
    assert np.array_equal(seen, decode_image(BytesIO(encode(Image.fromarray(values)))))
    assert np.abs(seen[..., 0] - values / 257).max() <= 1


def test_a_lab_picture_is_seen_as_its_srgb() -> None:
    grey = Image.frombytes("LAB", (1, 2), bytes([0, 0, 0, 255, 0, 0]))
    seen = decode_image(BytesIO(encode(grey))).astype(int)
    assert np.abs(seen - [[[0, 0, 0]], [[255, 255, 255]]]).max() <= 1


def test_a_picture_with_transparent_palette_entries_is_seen_on_white() -> None:
    picture = Image.frombytes("PA", (2, 1), bytes([1, 255, 1, 0]))
    picture.putpalette([0, 0, 0, 10, 20, 30])
    assert decode_image(BytesIO(encode(picture))).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_a_profile_of_other_colours_is_left_out() -> None:
    picture = Image.new("YCbCr", (2, 2))
    picture.info["icc_profile"] = b"of YCbCr"
    assert "icc_profile" not in Image.open(BytesIO(encode(picture))).info


class Upload:
    """An upload object of a web framework, which has only ``read``."""

    def __init__(self, data: bytes | str) -> None:
        self._data = data

    def read(self) -> Any:
        return self._data


class AsyncUpload:
    async def read(self) -> bytes:
        raise AssertionError


def test_open_files_are_read_from_their_start(tmp_path: Path) -> None:
    data = encode(np.zeros((4, 4), np.uint8))
    written = BytesIO()
    written.write(data)
    (tmp_path / "a.png").write_bytes(data)
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", data)
    with (
        (tmp_path / "a.png").open("rb") as file,
        ZipFile(tmp_path / "a.zip") as archive,
        archive.open("a.png") as member,
        SpooledTemporaryFile() as spooled,
    ):
        spooled.write(data)
        file.read(3)
        for opened in (written, BytesIO(data), file, member, spooled, Upload(data)):
            assert encode(opened) == data


def test_bytes_of_every_kind_are_a_file() -> None:
    assert encode(bytearray(b"abc")) == encode(memoryview(b"abc")) == b"abc"


@pytest.mark.parametrize(
    ("file", "reason"),
    [(StringIO("text"), "returns str, not bytes"), (Upload("text"), "returns str"), (AsyncUpload(), "must be awaited")],
)
def test_what_gives_no_bytes_is_refused(file: Any, reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        encode(file)


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
    with pytest.raises(ValueError, match="is not an image"):
        encode(array)


def test_what_is_no_image_at_all_is_refused() -> None:
    wrong: Any = 7
    with pytest.raises(TypeError, match="int is not an image"):
        encode(wrong)
    with pytest.raises(ValueError, match="of a format that Pillow does not read here"):
        decode(b"neither")


def test_pixels_are_counted_in_bands() -> None:
    mask = np.random.default_rng(0).integers(0, 256, (700, 11), dtype=np.uint8)
    assert count_pixels(mask) == np.bincount(mask.ravel(), minlength=256).tolist()
