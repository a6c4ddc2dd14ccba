"""The trainer reads every file that the service reads, and sees the same pixels."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.cli.inputs import is_image_name
from app.images.decode import FORMATS, decode_image
from model.labels import VOC
from tests.model.images.encoding import encoded
from tests.training.voc_folder import halves, write_voc_folder
from training.data.dataset import VocDataset
from training.data.image_folder import ImageFolder
from training.errors import DatasetError

_HEIGHT, _WIDTH = 60, 70


def _photograph(mode: str = "RGB") -> Image.Image:
    ramp = np.linspace(0, 255, _HEIGHT * _WIDTH * 3).reshape(_HEIGHT, _WIDTH, 3).astype(np.uint8)
    return Image.fromarray(ramp).convert(mode)


def _turned(file_format: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(_photograph(), file_format, exif=exif)


def _transparent() -> Image.Image:
    picture = _photograph()
    picture.putalpha(Image.fromarray(halves(0, 128, _HEIGHT, _WIDTH)))
    return picture


_FILES: dict[str, Callable[[], bytes]] = {
    "one.jpg": lambda: encoded(_photograph(), "JPEG"),
    "one.JPEG": lambda: encoded(_photograph("CMYK"), "JPEG"),
    "one.jfif": lambda: encoded(_photograph("L"), "JPEG"),
    "one.mpo": lambda: encoded(_photograph(), "MPO", save_all=True, append_images=[Image.new("RGB", (70, 60), "red")]),
    "one.png": lambda: encoded(_transparent(), "PNG"),
    "one.PNG": lambda: encoded(
        Image.fromarray(np.arange(_HEIGHT * _WIDTH, dtype=np.uint16).reshape(_HEIGHT, _WIDTH) * 15), "PNG"
    ),
    "one.webp": lambda: encoded(_transparent(), "WEBP"),
    "one.bmp": lambda: encoded(_photograph(), "BMP"),
    "one.tif": lambda: encoded(_photograph("F"), "TIFF"),
    "one.TIFF": lambda: encoded(_photograph("CMYK"), "TIFF"),
    "one.gif": lambda: encoded(_photograph(), "GIF", save_all=True, append_images=[Image.new("RGB", (70, 60), "red")]),
    "one.heic": lambda: encoded(_photograph(), "HEIF"),
    "one.HEIF": lambda: encoded(_photograph(), "HEIF"),
    "one.avif": lambda: encoded(_photograph(), "AVIF"),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set whose photograph is missing."""
    root = write_voc_folder(tmp_path / "made", {"one": halves(0, 8, _HEIGHT, _WIDTH)})
    (root / "JPEGImages" / "one.jpg").unlink()
    return root


@pytest.mark.parametrize("name", _FILES)
def test_the_trainer_sees_the_pixels_that_the_service_sees(root: Path, name: str) -> None:
    data = _FILES[name]()
    (root / "JPEGImages" / name).write_bytes(data)
    served = decode_image(BytesIO(data))
    np.testing.assert_array_equal(VocDataset(root, "train")[0].image, served)
    np.testing.assert_array_equal(ImageFolder(root / "JPEGImages")[0].image, served)
    assert is_image_name(Path(name))


def test_every_format_of_the_service_is_among_them() -> None:
    formats = {Image.open(BytesIO(make())).format for make in _FILES.values()}
    assert formats >= set(FORMATS)


def test_other_files_of_the_same_name_are_no_photographs(root: Path) -> None:
    (root / "JPEGImages" / "one.txt").write_text("by whom it was taken")
    (root / "JPEGImages" / "one.two.png").write_bytes(_FILES["one.png"]())
    (root / "JPEGImages" / "one.bmp").write_bytes(_FILES["one.bmp"]())
    np.testing.assert_array_equal(VocDataset(root, "train")[0].image, np.asarray(_photograph()))


@pytest.mark.parametrize("second", ["one.png", "one.BMP"])
def test_two_photographs_of_one_name_are_refused_with_both(root: Path, second: str) -> None:
    for name in ("one.bmp", second):
        (root / "JPEGImages" / name).write_bytes(_FILES["one.bmp"]())
    with pytest.raises(DatasetError, match=r"JPEGImages holds one\.\w+ and one\.\w+: which one is one\?") as caught:
        VocDataset(root, "train")[0]
    assert "one.bmp" in str(caught.value)
    assert second in str(caught.value)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_as_its_exif_orientation_says(root: Path, orientation: int) -> None:
    data = _turned("PNG", orientation)
    (root / "JPEGImages" / "one.png").write_bytes(data)
    served = decode_image(BytesIO(data))
    mask = halves(0, 8, *served.shape[:2])
    Image.fromarray(mask).save(root / "SegmentationClass" / "one.png")
    sample = VocDataset(root, "train")[0]
    np.testing.assert_array_equal(sample.image, served)
    np.testing.assert_array_equal(sample.mask, mask)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_with_the_orientation_of_its_photograph_is_turned_with_it(root: Path, orientation: int) -> None:
    mask = np.random.default_rng(0).integers(0, len(VOC), (_HEIGHT, _WIDTH), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(mask)
    stored.putpalette(VOC.palette.tobytes())
    stored.save(root / "SegmentationClass" / "one.png", exif=exif)
    # Its red channel contains the mask, so both must be rotated alike.
    photograph = np.stack([mask, mask, mask], axis=-1)
    Image.fromarray(photograph).save(root / "JPEGImages" / "one.png", exif=exif)
    sample = VocDataset(root, "train")[0]
    np.testing.assert_array_equal(sample.mask, sample.image[..., 0])


def test_a_mask_that_was_not_turned_with_its_photograph_is_refused(root: Path) -> None:
    (root / "JPEGImages" / "one.jpg").write_bytes(_turned("JPEG", 6))
    expected = r"one\.png has size \(60, 70\), its image \(70, 60\) after its EXIF orientation 6; a mask is turned by"
    with pytest.raises(DatasetError, match=expected):
        VocDataset(root, "train")[0]


def test_a_photograph_that_is_none_is_refused_as_the_service_refuses_it(root: Path) -> None:
    (root / "JPEGImages" / "one.jpg").write_bytes(b"%PDF-1.7 and more")
    with pytest.raises(
        DatasetError, match=r"one\.jpg cannot be decoded: the file is a PDF document; supported are JPEG"
    ):
        VocDataset(root, "train")[0]
