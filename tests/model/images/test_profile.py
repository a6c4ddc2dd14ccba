"""ICC profiles of every format: the network and the overlay see sRGB."""

import zlib
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from model.images import decode_image
from tests.model.images.encoding import encoded, png
from tests.model.images.icc import (
    cmyk_profile,
    grey_profile,
    rgb_profile,
    srgb_of,
    srgb_of_grey,
    srgb_of_lightness,
)

_COLOR = (40, 160, 60)
_LOSSLESS: dict[str, dict[str, object]] = {
    "PNG": {},
    "TIFF": {},
    "WEBP": {"lossless": True},
    "JPEG": {"quality": 100, "subsampling": 0},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    "HEIF": {"quality": -1, "chroma": 444},
}
"""Encoder options with which each format preserves colours best."""


def _middle(file: bytes) -> list[int]:
    image = decode_image(BytesIO(file))
    return [int(value) for value in image[len(image) // 2, image.shape[1] // 2]]


def _assert_near(found: list[int], expected: object, tolerance: float) -> None:
    assert np.abs(np.array(found) - np.array(expected)).max() <= tolerance, (found, expected)


@pytest.mark.parametrize("file_format", _LOSSLESS)
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
def test_colours_of_a_wide_space_become_srgb(file_format: str, gamma: float) -> None:
    picture = Image.new("RGB", (32, 24), _COLOR)
    file = encoded(picture, file_format, icc_profile=rgb_profile(gamma), **_LOSSLESS[file_format])
    _assert_near(_middle(file), srgb_of(_COLOR, gamma), 3)


@pytest.mark.parametrize("file_format", _LOSSLESS)
def test_colours_that_are_srgb_already_stay_as_they_are(file_format: str) -> None:
    picture = Image.new("RGB", (32, 24), _COLOR)
    plain = encoded(picture, file_format, **_LOSSLESS[file_format])
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profiled = encoded(picture, file_format, icc_profile=profile, **_LOSSLESS[file_format])
    assert _middle(profiled) == _middle(plain)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_a_profile_of_megabytes_is_heeded(file_format: str) -> None:
    profile = rgb_profile(1.0) + np.random.default_rng(0).bytes(3 << 20)
    file = encoded(Image.new("RGB", (32, 24), _COLOR), file_format, icc_profile=profile, **_LOSSLESS[file_format])
    _assert_near(_middle(file), srgb_of(_COLOR, 1.0), 3)


@pytest.mark.parametrize("profile", [rgb_profile(1.0)[:200], b"", b"no profile" * 20])
def test_a_damaged_profile_of_a_png_is_none(profile: bytes) -> None:
    file = png(1, 1, 8, 2, [bytes(_COLOR)], (b"iCCP", b"x\0\0" + zlib.compress(profile)[:-1]))
    assert _middle(file) == list(_COLOR)


@pytest.mark.parametrize(("bits", "color_type"), [(8, 0), (16, 0), (8, 4), (16, 4)])
def test_every_grey_of_png_heeds_its_profile(bits: int, color_type: int) -> None:
    row = bytes([55] * (bits // 8)) + (b"\xff" * (bits // 8) if color_type == 4 else b"")
    file = png(1, 1, bits, color_type, [row], (b"iCCP", b"x\0\0" + zlib.compress(grey_profile(1.0))))
    _assert_near(_middle(file), [srgb_of_grey(55, 1.0)] * 3, 2)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
def test_transparent_colours_of_a_wide_space_become_srgb_before_white_shines_through(file_format: str) -> None:
    picture = Image.new("RGBA", (32, 24), (*_COLOR, 128))
    file = encoded(picture, file_format, icc_profile=rgb_profile(2.2), **_LOSSLESS[file_format])
    _assert_near(_middle(file), srgb_of(_COLOR, 2.2) * (128 / 255) + 255 * (127 / 255), 3)


def test_a_palette_of_a_wide_space_becomes_srgb() -> None:
    picture = Image.new("RGB", (32, 24), _COLOR).quantize(2)
    _assert_near(_middle(encoded(picture, "PNG", icc_profile=rgb_profile(2.2))), srgb_of(_COLOR, 2.2), 3)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF"])
def test_greys_of_linear_light_become_srgb(file_format: str) -> None:
    file = encoded(Image.new("L", (32, 24), 55), file_format, icc_profile=grey_profile(1.0))
    _assert_near(_middle(file), srgb_of_grey(55, 1.0), 2)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_greys_of_16_bits_of_linear_light_become_srgb(file_format: str) -> None:
    picture = Image.fromarray(np.full((24, 32), 55 * 257, dtype=np.uint16))
    _assert_near(_middle(encoded(picture, file_format, icc_profile=grey_profile(1.0))), srgb_of_grey(55, 1.0), 2)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_16_bit_tiffs_of_a_wide_space_become_srgb(planar: str) -> None:
    pixels = np.full((24, 32, 3), _COLOR, dtype=np.uint16) * 257
    buffer = BytesIO()
    stored = pixels if planar == "contig" else np.moveaxis(pixels, -1, 0)
    tifffile.imwrite(buffer, stored, photometric="rgb", planarconfig=planar, iccprofile=rgb_profile(2.2))
    _assert_near(_middle(buffer.getvalue()), srgb_of(_COLOR, 2.2), 2)


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_16_bit_tiffs_of_a_wide_space_become_srgb_before_white_shines_through(kind: str) -> None:
    alpha = 0.5
    stored = np.array(_COLOR) * (alpha if kind == "assocalpha" else 1) * 257
    pixels = np.empty((24, 32, 4), dtype=np.uint16)
    pixels[:] = [*np.round(stored).astype(int), round(alpha * 65535)]
    buffer = BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="rgb", extrasamples=[kind], iccprofile=rgb_profile(2.2))
    _assert_near(_middle(buffer.getvalue()), srgb_of(_COLOR, 2.2) * alpha + 255 * (1 - alpha), 2)


@pytest.mark.parametrize("black", [0, 100, 255])
def test_inks_of_16_bits_become_the_colours_that_their_profile_says(black: int) -> None:
    inks = np.full((24, 32, 4), (200, 0, 0, black), dtype=np.uint16) * 257
    buffer = BytesIO()
    tifffile.imwrite(buffer, inks, photometric="separated", iccprofile=cmyk_profile())
    _assert_near(_middle(buffer.getvalue()), srgb_of_lightness(100 * (255 - black) / 255), 3)


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
@pytest.mark.parametrize("black", [0, 100, 255])
def test_inks_become_the_colours_that_their_profile_says(file_format: str, black: int) -> None:
    inks = Image.new("CMYK", (32, 24), (200, 0, 0, black))
    file = encoded(inks, file_format, icc_profile=cmyk_profile())
    _assert_near(_middle(file), srgb_of_lightness(100 * (255 - black) / 255), 3)


@pytest.mark.parametrize(
    "profile",
    [b"nonsense" * 40, rgb_profile(1.0)[:150], grey_profile(1.0), cmyk_profile()],
    ids=["nonsense", "cut", "grey", "inks"],
)
def test_a_profile_that_is_damaged_or_of_another_kind_of_picture_changes_nothing(profile: bytes) -> None:
    file = encoded(Image.new("RGB", (32, 24), _COLOR), "PNG", icc_profile=profile)
    assert tuple(_middle(file)) == _COLOR
