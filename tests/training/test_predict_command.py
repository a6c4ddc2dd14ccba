from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner, Result

from model.checkpoint import Checkpoint
from model.labels import VOC
from model.segmenter import Segmenter
from tests.training.voc_checkpoint import write_voc_checkpoint
from tests.training.voc_folder import halves, write_voc_folder
from training.__main__ import cli
from training.errors import DatasetError

MASKS = {"one": halves(0, 8), "two": halves(0, 15, beside=False), "three": halves(12, 255)}
ROW = 60 + 20 + 8
"""Height of a row of the sheet: a picture, its caption, a gap."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc_folder(tmp_path_factory.mktemp("data") / "made", MASKS, split="val")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc_checkpoint(tmp_path_factory.mktemp("run") / "last.safetensors")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A photograph to be turned, a text, and the photograph as it is when turned."""
    root = tmp_path / "holiday"
    root.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # clockwise
    pixels = np.random.default_rng(0).integers(0, 256, (70, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / "a.png", exif=exif)
    (root / "b.txt").write_text("no image")
    Image.fromarray(np.rot90(pixels, -1)).save(root / "c.png")
    return root


def _predict(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["predict", *map(str, arguments), "--device", "cpu"])


def _panel(file: Path, row: int, column: int) -> NDArray[np.uint8]:
    """The picture of 60 x 70 there."""
    with Image.open(file) as picture:
        assert picture.format == "PNG"
        sheet = np.array(picture)
    top, left = 8 + row * ROW, 8 + column * 78
    return sheet[top : top + 60, left : left + 70]


def _predicted(weights: Path, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    mask = Segmenter(Checkpoint.load(weights), "cpu").segment(image).mask
    assert len(np.unique(mask)) > 1
    return VOC.colormap(mask)


def test_rows_are_image_prediction_and_ground_truth(weights: Path, data: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "new" / "sheet.png"
    result = _predict(weights, data, sheet)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{sheet}\n"
    for row, mask in enumerate(list(MASKS.values())[:2]):
        image = _panel(sheet, row, 0)
        assert np.abs(image.astype(int) - VOC.colormap(mask)).mean() < 3  # a JPEG's
        np.testing.assert_array_equal(_panel(sheet, row, 1), _predicted(weights, image))
        np.testing.assert_array_equal(_panel(sheet, row, 2), VOC.colormap(mask))


def test_void_is_pale_in_the_ground_truth_and_outlined_there_and_in_the_prediction(
    weights: Path, data: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.png"
    assert _predict(weights, data, sheet, "--first", "2").exit_code == 0
    image, prediction, truth = (_panel(sheet, 0, column) for column in range(3))
    assert (truth[:, :35] == VOC.colors[12]).all()
    assert (truth[:, 36:] == VOC.void_color).all()
    expected = _predicted(weights, image)
    expected[:, 35] = 255
    np.testing.assert_array_equal(prediction, expected)
    assert (truth[:, 35] == 255).all()


def test_first_step_and_count_choose_the_samples(weights: Path, data: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    assert _predict(weights, data, sheet, "--first", "1", "--count", "1").exit_code == 0
    np.testing.assert_array_equal(_panel(sheet, 0, 2), VOC.colormap(MASKS["two"]))
    with Image.open(sheet) as picture:
        assert picture.height < 2 * ROW
    assert _predict(weights, data, sheet, "--step", "2").exit_code == 0
    np.testing.assert_array_equal(_panel(sheet, 0, 2), VOC.colormap(MASKS["one"]))
    assert (_panel(sheet, 1, 2)[:, :35] == VOC.colors[12]).all()


def test_pictures_are_shrunk_to_the_side_asked_for(weights: Path, data: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    assert _predict(weights, data, sheet, "--side", "35", "--count", "1").exit_code == 0
    with Image.open(sheet) as picture:
        pixels = np.array(picture)
    expected = VOC.colormap(MASKS["one"])[1::2, 1::2]
    np.testing.assert_array_equal(pixels[8:38, 8 + 2 * 43 : 8 + 2 * 43 + 35], expected)


def test_a_folder_of_images_gives_rows_without_ground_truth(weights: Path, folder: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    result = _predict(weights, folder, sheet)
    assert result.exit_code == 0, result.output
    with Image.open(folder / "c.png") as picture:
        upright = np.array(picture)
    for row in range(2):
        np.testing.assert_array_equal(_panel(sheet, row, 0), upright)
        np.testing.assert_array_equal(_panel(sheet, row, 1), _predicted(weights, upright))
    assert _panel(sheet, 0, 2).size == 0 or (_panel(sheet, 0, 2) == 255).all()


def test_a_file_that_is_no_image_is_named_and_left_out(weights: Path, folder: Path, tmp_path: Path) -> None:
    result = _predict(weights, folder, tmp_path / "sheet.png")
    assert result.exit_code == 0
    warning, *others = result.stderr.splitlines()
    assert warning.startswith(f"warning: {folder / 'b.txt'} cannot be read as an image")
    assert not others


def test_a_folder_with_nothing_but_other_files_is_refused(weights: Path, folder: Path, tmp_path: Path) -> None:
    error = _predict(weights, folder, tmp_path / "sheet.png", "--first", "1", "--step", "2").exception
    assert isinstance(error, DatasetError)
    assert "no file of" in str(error)
    assert not (tmp_path / "sheet.png").exists()


def test_an_empty_folder_is_refused(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    error = _predict(weights, tmp_path / "empty", tmp_path / "sheet.png").exception
    assert isinstance(error, DatasetError)
    assert "empty holds no file" in str(error)


def test_a_damaged_sample_of_a_data_set_is_an_error(weights: Path, tmp_path: Path) -> None:
    root = write_voc_folder(tmp_path / "made", MASKS, split="val")
    (root / "JPEGImages" / "two.jpg").write_bytes(b"no image")
    error = _predict(weights, root, tmp_path / "sheet.png").exception
    assert isinstance(error, DatasetError)
    assert "two.jpg" in str(error)


def test_a_first_sample_beyond_the_list_is_refused(weights: Path, data: Path, tmp_path: Path) -> None:
    result = _predict(weights, data, tmp_path / "sheet.png", "--first", "3")
    assert result.exit_code == 2
    assert "there are 3 samples" in result.output
