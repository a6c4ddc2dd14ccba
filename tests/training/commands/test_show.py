import tomllib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner, Result

from model.labels import VOC, Labels
from tests.training.voc_folder import halves, write_voc_folder
from training.__main__ import cli

MASKS = {f"image{index}": halves(index, index + 8) for index in range(7)}
LABELS = 8 + 60 + 20 + 8
"""Top of the row of labels in pixels: below a gap, the images, their captions, another gap."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc_folder(tmp_path_factory.mktemp("data") / "made", MASKS)


def _show(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["show", *map(str, arguments)])


def _read(file: Path) -> NDArray[np.uint8]:
    with Image.open(file) as picture:
        assert picture.format == "PNG"
        return np.array(picture)


def test_the_first_images_stand_in_a_row_and_their_labels_below(data: Path, tmp_path: Path) -> None:
    result = _show(data, tmp_path / "new" / "sheet.png", "--count", "3")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'new' / 'sheet.png'}\n"
    sheet = _read(tmp_path / "new" / "sheet.png")
    for column, mask in enumerate(list(MASKS.values())[:3]):
        left = 8 + 78 * column
        image, labels = (sheet[top : top + 60, left : left + 70] for top in (8, LABELS))
        assert np.abs(image.astype(int) - VOC.colormap(mask)).mean() < 3  # JPEG loses a little
        np.testing.assert_array_equal(labels, VOC.colormap(mask))
    assert sheet.shape[1] == 3 * 78 + 8


def test_five_images_are_shown_unless_told(data: Path, tmp_path: Path) -> None:
    assert _show(data, tmp_path / "sheet.png").exit_code == 0
    sheet = _read(tmp_path / "sheet.png")
    assert sheet.shape[1] == 5 * 78 + 8
    np.testing.assert_array_equal(sheet[LABELS : LABELS + 60, -78:-8], VOC.colormap(MASKS["image4"]))


def test_more_images_than_fit_a_row_go_on_below_and_more_than_there_are_is_all(data: Path, tmp_path: Path) -> None:
    assert _show(data, tmp_path / "sheet.png", "--count", "100").exit_code == 0
    sheet = _read(tmp_path / "sheet.png")
    assert sheet.shape[1] == 5 * 78 + 8
    below = LABELS + LABELS - 8 + 60 + 8
    np.testing.assert_array_equal(sheet[below : below + 60, 8 + 78 : 8 + 78 + 70], VOC.colormap(MASKS["image6"]))
    assert (sheet[below : below + 60, 8 + 2 * 78 :] == 255).all()


def test_the_list_may_be_another(data: Path, tmp_path: Path) -> None:
    (data / "ImageSets" / "Segmentation" / "other.txt").write_text("image6\n")
    assert _show(data, tmp_path / "sheet.png", "--split", "other").exit_code == 0
    sheet = _read(tmp_path / "sheet.png")
    np.testing.assert_array_equal(sheet[LABELS : LABELS + 60, 8:78], VOC.colormap(MASKS["image6"]))


def test_pictures_are_shrunk_to_the_height_asked_for(data: Path, tmp_path: Path) -> None:
    assert _show(data, tmp_path / "sheet.png", "--count", "1", "--height", "36").exit_code == 0
    labels = _read(tmp_path / "sheet.png")[8 + 36 + 20 + 8 :, 8:]
    np.testing.assert_array_equal(labels[:36, :42], VOC.colormap(halves(0, 8, 36, 42)))


def test_the_classes_may_be_ones_own(tmp_path: Path) -> None:
    own = Labels(("ground", "leaf"), ((10, 20, 30), (0, 160, 60)))
    data = write_voc_folder(tmp_path / "made", {"one": halves(0, 1)}, labels=own)
    file = tmp_path / "own.toml"
    file.write_text('classes = [{name = "ground", color = [10, 20, 30]}, {name = "leaf", color = [0, 160, 60]}]')
    assert _show(data, tmp_path / "sheet.png", "--labels", file).exit_code == 0
    sheet = _read(tmp_path / "sheet.png")
    np.testing.assert_array_equal(sheet[LABELS : LABELS + 60, 8:78], own.colormap(halves(0, 1)))


def test_the_help_says_how_own_classes_are_told() -> None:
    lines = [line.strip() for line in _show("--help").stdout.splitlines()]
    start = lines.index("classes = [")
    table = tomllib.loads("\n".join(lines[start : start + 4]))
    assert table["classes"][1] == {"name": "leaf", "color": [0, 160, 60]}
