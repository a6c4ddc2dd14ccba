from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps, PngImagePlugin, TiffImagePlugin

from app.images.decode import FORMATS, Header, decode_image, read_header
from app.problems import IMAGE_DAMAGED, NOT_AN_IMAGE, UNSUPPORTED_FORMAT, Problem, ProblemError
from tests.model.images.encoding import encoded

MAX_PIXELS = 1_000_000

RAMP = np.arange(12 * 20 * 3, dtype=np.uint32).reshape(12, 20, 3).astype(np.uint8)


def decoded(data: bytes) -> NDArray[np.uint8]:
    """The decoded pixels, whose size must be that of the header."""
    header = read_header(BytesIO(data), MAX_PIXELS)
    image = decode_image(BytesIO(data))
    assert image.shape == (header.height, header.width, 3)
    return image


def problem_of(data: bytes) -> tuple[Problem, str]:
    with pytest.raises(ProblemError) as caught:
        decoded(data)
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
    exif[0x0112] = 6  # the scene's right side is at the top of the file
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


@pytest.mark.parametrize(("file_format", "name"), [("PPM", "a Netpbm image"), ("TGA", "a TGA image")])
def test_a_format_of_pillow_that_is_not_offered_is_not_read(file_format: str, name: str) -> None:
    problem, detail = problem_of(encoded(Image.fromarray(RAMP), file_format))
    assert problem is UNSUPPORTED_FORMAT
    assert name in detail


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
    assert "5 samples per pixel" in detail


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF"])
def test_a_truncated_image_is_called_damaged(file_format: str) -> None:
    random = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(random), file_format)
    problem, detail = problem_of(data[: len(data) // 2])
    assert problem in (IMAGE_DAMAGED, NOT_AN_IMAGE)
    assert detail


@pytest.mark.parametrize(
    ("file_format", "mode", "head_bytes"),
    [("PNG", "1", 100), ("BMP", "L", 1200), ("GIF", "P", 900), ("JPEG", "RGB", 700)],
)
def test_a_header_is_read_without_the_pixels(file_format: str, mode: str, head_bytes: int) -> None:
    data = encoded(Image.new(mode, (800, 500)), file_format)
    assert len(data) > head_bytes
    head = BytesIO(data[:head_bytes])
    assert read_header(head, MAX_PIXELS) == Header(file_format, mode, 500, 800)


def test_a_header_tells_what_takes_more_memory() -> None:
    picture = Image.fromarray(RAMP)
    deep = pillow_heif.from_bytes(mode="RGB;16", size=(64, 64), data=bytes(64 * 64 * 6))
    buffer = BytesIO()
    deep.save(buffer)
    costly = [encoded(picture, "JPEG", progressive=True), buffer.getvalue()]
    usual = [encoded(picture, file_format) for file_format in ("JPEG", "HEIF", "PNG")]
    assert [read_header(BytesIO(data), MAX_PIXELS).is_costly for data in costly + usual] == [True] * 2 + [False] * 3


def test_text_in_a_png_is_taken_for_text() -> None:
    text = PngImagePlugin.PngInfo()
    for name in ("bit_depth", "progressive", "transparency", "exif", "icc_profile", "dpi"):
        text.add_text(name, "nonsense")
    assert status_of(encoded(Image.fromarray(RAMP), "PNG", pnginfo=text)) in (200, 400)


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": False}, {"icc_profile": b"x"}])
def test_of_a_webp_that_is_too_large_nothing_but_the_size_is_read(options: dict[str, object]) -> None:
    data = encoded(Image.new("RGB", (70, 40)), "WEBP", **options)[:30]
    assert read_header(BytesIO(data), max_pixels=70 * 40 - 1) == Header("WEBP", "RGBA", 40, 70)
    with pytest.raises(ProblemError):
        read_header(BytesIO(data), max_pixels=70 * 40)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16", "P"])
def test_an_image_of_several_strips_is_turned_as_a_whole(mode: str, orientation: int) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (700, 300), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(encoded(Image.fromarray(grey), "PNG", exif=exif)))))
    picture = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    expected = np.broadcast_to(upright[..., None], (*upright.shape, 3))
    np.testing.assert_array_equal(decoded(encoded(picture, "PNG", exif=exif)), expected)


def test_a_heif_file_of_another_size_than_it_says_is_damaged() -> None:
    body = bytearray(encoded(Image.fromarray(RAMP), "HEIF"))
    height_at = body.index(b"ispe") + 12
    body[height_at : height_at + 4] = (2 * RAMP.shape[0]).to_bytes(4, "big")
    assert status_of(bytes(body)) == 400


@settings(max_examples=200)
@given(
    data=st.binary(max_size=300),
    prefix=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"GIF89a", b"BM"]),
)
def test_arbitrary_bytes_give_an_image_or_a_problem(data: bytes, prefix: bytes) -> None:
    assert status_of(prefix + data) in (200, 400, 415, 422)


@settings(max_examples=200)
@given(data=st.data(), file_format=st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF"]))
def test_mutated_images_give_an_image_or_a_problem(data: st.DataObject, file_format: str) -> None:
    body = bytearray(encoded(Image.fromarray(RAMP), file_format))
    for _ in range(data.draw(st.integers(1, 8))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    assert status_of(bytes(body)) in (200, 400, 415, 422)
