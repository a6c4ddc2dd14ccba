"""HEIF and AVIF: samples of more than 8 bits, grids, and boxes that rotate and mirror."""

import struct
from io import BytesIO

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from model.errors import UnsupportedImageError
from model.images import decode_image, read_header
from tests.model.images.encoding import encoded

_BLOCKS = np.random.default_rng(0).integers(0, 255, (8, 12, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
_ROUNDING = 3
"""Greatest difference of a sample after conversion to YCbCr and back."""

_HEIF: dict[str, object] = {"quality": -1, "chroma": 444}
_AVIF: dict[str, object] = {"quality": 100, "subsampling": "4:4:4"}


def _assert_shown(file: bytes, expected: NDArray[np.uint8]) -> None:
    header, image = read_header(BytesIO(file), 1 << 30), decode_image(BytesIO(file))
    assert image.shape == expected.shape == (header.height, header.width, 3)
    assert np.abs(image.astype(np.int64) - expected).max() <= _ROUNDING


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _upright(orientation: int) -> NDArray[np.uint8]:
    file = encoded(Image.fromarray(_BLOCKS), "PNG", exif=_exif(orientation))
    return np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(file))))


def _require_boxes(file: bytes, orientation: int) -> None:
    assert (b"irot" in file, b"imir" in file) == (orientation in (3, 5, 6, 7, 8), orientation in (2, 4, 5, 7))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_heif_file_is_turned_and_mirrored_by_its_boxes(orientation: int) -> None:
    buffer = BytesIO()
    picture = pillow_heif.from_pillow(Image.fromarray(_BLOCKS))
    picture.save(buffer, exif=_exif(orientation).tobytes(), **_HEIF)
    _require_boxes(buffer.getvalue(), orientation)
    _assert_shown(buffer.getvalue(), _upright(orientation))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_avif_file_is_turned_and_mirrored_by_its_boxes(orientation: int) -> None:
    file = encoded(Image.fromarray(_BLOCKS), "AVIF", exif=_exif(orientation), **_AVIF)
    _require_boxes(file, orientation)
    _assert_shown(file, _upright(orientation))


@pytest.mark.parametrize("bits", [10, 12])
def test_heif_samples_of_more_than_8_bits_are_scaled(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
    deep = _BLOCKS.astype(np.uint16) * 257
    buffer = BytesIO()
    size = _BLOCKS.shape[1::-1]
    pillow_heif.from_bytes(mode="RGB;16", size=size, data=deep.tobytes()).save(buffer, **_HEIF)
    assert pillow_heif.open_heif(BytesIO(buffer.getvalue())).info["bit_depth"] == bits
    _assert_shown(buffer.getvalue(), _BLOCKS)


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_avif_samples_of_more_than_8_bits_are_scaled(bits: int) -> None:
    deep = _BLOCKS if bits == 8 else (_BLOCKS.astype(np.uint16) * 257) >> (16 - bits)
    file = bytes(imagecodecs.avif_encode(deep, level=100, bitspersample=bits, pixelformat="yuv444"))
    _assert_shown(file, _BLOCKS)


def test_a_heif_grid_is_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pillow_heif.options, "GRID_TILE_SIZE", 64)
    large = _BLOCKS.repeat(3, 0).repeat(3, 1)[:190, :270]
    file = encoded(Image.fromarray(large), "HEIF", **_HEIF)
    assert b"grid" in file
    _assert_shown(file, large)


@pytest.mark.parametrize("file_format", ["HEIF", "AVIF"])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "L"])
def test_grey_and_transparent_pictures_are_shown_on_white(mode: str, file_format: str) -> None:
    picture = Image.fromarray(_BLOCKS).convert(mode)
    if mode != "L":
        picture.putalpha(128)
    layer = picture.convert("RGBA")
    expected = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    options = _HEIF if file_format == "HEIF" else _AVIF
    _assert_shown(encoded(picture, file_format, **options), np.asarray(expected))


def _with_aperture(width: int, height: int) -> bytes:
    """An AVIF whose profile box is replaced by a clean aperture box."""
    profile = bytes(range(28))
    file = encoded(Image.fromarray(_BLOCKS), "AVIF", icc_profile=profile, **_AVIF)
    at = file.index(b"colrprof" + profile)
    file = file[:at] + b"clap" + struct.pack(">8i", width, 1, height, 1, 0, 1, 0, 1) + file[at + 36 :]
    # The picture's property associations; the highest bit marks essential ones. The profile is the fourth, and a clean
    # aperture is essential.
    return file.replace(bytes([1, 2, 0x83, 4, 5]), bytes([1, 2, 0x83, 5, 0x84]))


def test_an_avif_of_which_a_part_is_to_be_shown_is_refused() -> None:
    height, width = _BLOCKS.shape[:2]
    with pytest.raises(UnsupportedImageError, match="clean aperture, 20/1 x 30/1"):
        decode_image(BytesIO(_with_aperture(20, 30)))
    _assert_shown(_with_aperture(width, height), _BLOCKS)


def test_an_avif_is_not_turned_by_what_xmp_says() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
    _assert_shown(encoded(Image.fromarray(_BLOCKS), "AVIF", xmp=xmp, **_AVIF), _BLOCKS)
