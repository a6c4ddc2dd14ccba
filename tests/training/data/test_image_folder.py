from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.voc_folder import halves
from training.data.image_folder import ImageFolder
from training.errors import DatasetError


def _picture(left: int = 0, right: int = 200) -> Image.Image:
    return Image.fromarray(halves(left, right, 20, 40)).convert("RGB")


def test_images_come_by_name_without_hidden_files_and_folders(tmp_path: Path) -> None:
    for name in ("b.png", "a.bmp", ".hidden.png"):
        _picture().save(tmp_path / name)
    (tmp_path / "folder").mkdir()
    folder = ImageFolder(tmp_path)
    assert [folder[index].name for index in range(len(folder))] == ["a.bmp", "b.png"]
    np.testing.assert_array_equal(folder[1].image, np.asarray(_picture()))


def test_the_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate clockwise
    _picture().save(tmp_path / "one.png", exif=exif)
    image = ImageFolder(tmp_path)[0].image
    np.testing.assert_array_equal(image[..., 0], halves(0, 200, 40, 20, beside=False))


@pytest.mark.parametrize("data", [b"", b"no image", b"\xff\xd8\xff\xe0 cut off"])
def test_a_file_that_is_no_image_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "broken.jpg").write_bytes(data)
    folder = ImageFolder(tmp_path)
    with pytest.raises(DatasetError, match=r"broken\.jpg cannot be decoded"):
        folder[0]


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DatasetError, match="holds no file"):
        ImageFolder(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"there is no folder .*nowhere"):
        ImageFolder(tmp_path / "nowhere")
