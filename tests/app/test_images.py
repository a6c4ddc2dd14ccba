from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from app.images import FORMATS, decode_image, open_image
from app.problems import (
    IMAGE_DAMAGED,
    NOT_AN_IMAGE,
    TOO_MANY_PIXELS,
    UNSUPPORTED_FORMAT,
    Problem,
    ProblemError,
)

MAX_PIXELS = 1_000_000

RAMP = np.arange(12 * 20 * 3, dtype=np.uint32).reshape(12, 20, 3).astype(np.uint8)


def encoded(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def decoded(data: bytes) -> NDArray[np.uint8]:
    return decode_image(open_image(data, MAX_PIXELS))


def problem_of(data: bytes, max_pixels: int = MAX_PIXELS) -> tuple[Problem, str]:
    with pytest.raises(ProblemError) as caught:
        decode_image(open_image(data, max_pixels))
    return caught.value.problem, caught.value.detail


def status_of(data: bytes) -> int:
    try:
        assert decoded(data).dtype == np.uint8
    except ProblemError as error:
        return error.problem.status
    return 200


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_give_the_pixels_back(file_format: str) -> None:
    np.testing.assert_array_equal(decoded(encoded(Image.fromarray(RAMP), file_format)), RAMP)


def test_webp_gives_the_pixels_back() -> None:
    np.testing.assert_array_equal(decoded(encoded(Image.fromarray(RAMP), "WEBP", lossless=True)), RAMP)


@pytest.mark.parametrize("file_format", ["JPEG", "AVIF", "HEIF", "GIF"])
def test_lossy_formats_give_nearly_the_pixels_back(file_format: str) -> None:
    assert file_format in FORMATS
    smooth = np.linspace(0, 255, 64 * 48 * 3).reshape(48, 64, 3).astype(np.uint8)
    result = decoded(encoded(Image.fromarray(smooth), file_format, quality=95))
    assert result.shape == smooth.shape
    assert np.abs(result.astype(int) - smooth).mean() < 6


def test_an_mpo_is_read_as_the_jpeg_it_starts_with() -> None:
    first, second = Image.new("RGB", (16, 8), "red"), Image.new("RGB", (16, 8), "blue")
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    assert decoded(data)[0, 0, 0] > 240
    assert decoded(data).shape == (8, 16, 3)


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (5, 4), color) for color in ("red", "green", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decoded(data), np.broadcast_to([255, 0, 0], (4, 5, 3)))


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 77, (77, 77, 77)),
        ("RGB", (1, 2, 3), (1, 2, 3)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("LA", (100, 0), (255, 255, 255)),
        ("LA", (100, 255), (100, 100, 100)),
        ("I;16", 65535, (255, 255, 255)),
        ("I;16", 257 * 100, (100, 100, 100)),
    ],
)
def test_modes_of_png_become_rgb(mode: str, color: object, expected: tuple[int, int, int]) -> None:
    picture = Image.new(mode, (3, 2), color)  # type: ignore[arg-type]
    np.testing.assert_array_equal(decoded(encoded(picture, "PNG")), np.broadcast_to(expected, (2, 3, 3)))


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("F", 0.5, (128, 128, 128)),
        ("F", 200.0, (200, 200, 200)),
        ("F", float("nan"), (0, 0, 0)),
        ("I", 255, (255, 255, 255)),
        ("I", 65535, (255, 255, 255)),
        ("I", -5, (0, 0, 0)),
    ],
)
def test_modes_of_tiff_become_rgb(mode: str, color: object, expected: tuple[int, int, int]) -> None:
    picture = Image.new(mode, (3, 2), color)  # type: ignore[arg-type]
    np.testing.assert_array_equal(decoded(encoded(picture, "TIFF")), np.broadcast_to(expected, (2, 3, 3)))


@pytest.mark.parametrize(("alpha", "expected"), [(255, [255, 0, 0]), (0, [255, 255, 255])])
def test_a_palette_with_an_alpha_channel_is_composited_on_white(alpha: int, expected: list[int]) -> None:
    picture = Image.new("P", (3, 2), 1)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.putalpha(alpha)
    assert picture.mode == "PA"
    data = encoded(picture, "TIFF")
    assert Image.open(BytesIO(data)).mode == "PA"
    np.testing.assert_array_equal(decoded(data), np.broadcast_to(expected, (2, 3, 3)))


def test_transparent_samples_of_16_bits_become_white() -> None:
    data = encoded(Image.fromarray(np.array([[0, 257]], dtype=np.uint16)), "PNG", transparency=0)
    assert decoded(data)[0].tolist() == [[255, 255, 255], [1, 1, 1]]


def test_a_thin_strip_counts_as_what_it_is_padded_to() -> None:
    problem, detail = problem_of(encoded(Image.new("1", (40_000, 1)), "PNG"))
    assert problem is TOO_MANY_PIXELS
    assert "40000 x 1 = 1280000 pixels, padded to at least 32 a side" in detail


def test_a_cmyk_jpeg_becomes_rgb() -> None:
    red = decoded(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))
    assert red[..., 0].min() > 240
    assert red[..., 1:].max() < 15


def test_half_transparent_pixels_are_mixed_with_white() -> None:
    data = encoded(Image.new("RGBA", (1, 1), (0, 0, 0, 128)), "PNG")
    assert decoded(data)[0, 0].tolist() == [127, 127, 127]


def test_a_palette_with_transparency_is_composited_on_white() -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putdata([0, 1])
    data = encoded(picture, "PNG", transparency=1)
    assert decoded(data)[0].tolist() == [[255, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize(("orientation", "shape"), [(1, (2, 3)), (3, (2, 3)), (6, (3, 2)), (8, (3, 2))])
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(file_format: str, orientation: int, shape: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.new("RGB", (3, 2)), file_format, exif=exif)
    assert decoded(data).shape[:2] == shape


def test_orientation_turns_the_pixels_as_exif_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the right side of the scene is up in the file
    data = encoded(Image.fromarray(RAMP), "PNG", exif=exif)
    np.testing.assert_array_equal(decoded(data), np.rot90(RAMP, -1))


def test_a_turned_heic_is_turned_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.new("RGB", (64, 32))
    buffer = BytesIO()
    pillow_heif.from_pillow(picture).save(buffer, exif=exif.tobytes(), quality=90)
    assert decoded(buffer.getvalue()).shape == (64, 32, 3)


def test_broken_exif_spoils_no_pixel() -> None:
    data = encoded(Image.fromarray(RAMP), "PNG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    np.testing.assert_array_equal(decoded(data), RAMP)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x00" * 100, b"GIF", bytes(range(256))])
def test_what_is_no_image_is_called_so(data: bytes) -> None:
    assert problem_of(data)[0] is NOT_AN_IMAGE


@pytest.mark.parametrize(
    ("start", "name"),
    [(b"%PDF-1.7", "PDF"), (b"8BPS\x00\x01", "Photoshop"), (b"<svg xmlns=", "SVG"), (b"\xff\x0a\x00", "JPEG XL")],
)
def test_formats_that_are_not_read_are_refused_by_name(start: bytes, name: str) -> None:
    problem, detail = problem_of(start + b"\x00" * 50)
    assert problem is UNSUPPORTED_FORMAT
    assert name in detail


def test_a_format_of_pillow_that_is_not_offered_is_not_read() -> None:
    assert problem_of(encoded(Image.fromarray(RAMP), "PPM"))[0] is NOT_AN_IMAGE


def test_a_tiff_of_five_channels_is_refused_by_name() -> None:
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory[256], directory[257] = 2, 2
    directory[258] = (8,) * 5
    directory[259], directory[262], directory[277] = 1, 1, 5
    directory[273], directory[278], directory[279] = 8, 2, 20
    buffer = BytesIO(b"II*\x00\x1c\x00\x00\x00" + bytes(20))
    buffer.seek(28)
    directory.save(buffer)
    problem, detail = problem_of(buffer.getvalue())
    assert problem is UNSUPPORTED_FORMAT
    assert "5 samples a pixel" in detail


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF"])
def test_a_truncated_image_is_called_damaged(file_format: str) -> None:
    random = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(random), file_format)
    problem, detail = problem_of(data[: len(data) // 2])
    assert problem in (IMAGE_DAMAGED, NOT_AN_IMAGE)
    assert detail


def test_too_many_pixels_are_refused_from_the_header() -> None:
    header_only = encoded(Image.new("1", (50_000, 40_000)), "PNG")[:200]
    problem, detail = problem_of(header_only)
    assert problem is TOO_MANY_PIXELS
    assert "50000 x 40000" in detail
    assert str(MAX_PIXELS) in detail


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=300),
    prefix=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"GIF89a", b"BM"]),
)
def test_arbitrary_bytes_give_an_image_or_a_problem(data: bytes, prefix: bytes) -> None:
    assert status_of(prefix + data) in (200, 400, 415, 422)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), file_format=st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF"]))
def test_mutated_images_give_an_image_or_a_problem(data: st.DataObject, file_format: str) -> None:
    body = bytearray(encoded(Image.fromarray(RAMP), file_format))
    for _ in range(data.draw(st.integers(1, 8))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    assert status_of(bytes(body)) in (200, 400, 415, 422)
