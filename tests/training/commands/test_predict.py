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
"""Height in pixels of a row of the sheet: a picture, its caption, a gap."""
HEADING = 20 + 8
GREY, RED = (184, 184, 184), (214, 40, 40)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc_folder(tmp_path_factory.mktemp("data") / "made", MASKS, split="val")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc_checkpoint(tmp_path_factory.mktemp("run") / "last.safetensors")


@pytest.fixture(scope="module")
def graded(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set: the network gets one image fully right, two partly, one fully wrong, and one is all void."""
    names = ("wrong", "void", "most", "perfect", "half")
    root = write_voc_folder(tmp_path_factory.mktemp("graded") / "made", dict.fromkeys(names, MASKS["one"]), "val")
    segmenter = Segmenter(Checkpoint.load(weights), "cpu")
    prediction = segmenter.segment(np.asarray(Image.open(root / "JPEGImages" / "half.jpg"))).mask
    other = np.setdiff1d(np.arange(len(VOC)), prediction)[0]
    masks = {name: prediction.copy() for name in names}
    masks["wrong"][:], masks["void"][:], masks["half"][30:], masks["most"][55:] = other, 255, other, other
    for name, mask in masks.items():
        Image.fromarray(mask).save(root / "SegmentationClass" / f"{name}.png")
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A photograph that EXIF rotates, a text file, and the photograph stored rotated."""
    root = tmp_path / "holiday"
    root.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate clockwise
    pixels = np.random.default_rng(0).integers(0, 256, (70, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / "a.png", exif=exif)
    (root / "b.txt").write_text("no image")
    Image.fromarray(np.rot90(pixels, -1)).save(root / "c.png")
    return root


def _predict(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["predict", *map(str, arguments), "--device", "cpu"])


def _panel(file: Path, row: int, column: int, headings: int = 0) -> NDArray[np.uint8]:
    """The sheet's picture of 60 x 70 in a row and column, below some headings."""
    with Image.open(file) as picture:
        assert picture.format == "PNG"
        sheet = np.array(picture)
    top, left = 8 + row * ROW + headings * HEADING, 8 + column * 78
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
        assert np.abs(image.astype(int) - VOC.colormap(mask)).mean() < 3  # JPEG loses a little
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
    assert warning.startswith(f"warning: {folder / 'b.txt'} cannot be decoded")
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


def _truths(data: Path) -> dict[str, NDArray[np.uint8]]:
    """Sample -> its label picture."""
    files = (data / "SegmentationClass").iterdir()
    return {file.stem: VOC.colormap(np.asarray(Image.open(file))) for file in files}


def test_the_best_samples_are_drawn_above_the_worst(weights: Path, graded: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    result = _predict(weights, graded, sheet, "--best", "2", "--worst", "2")
    assert result.exit_code == 0, result.output
    assert "5/5" in result.stderr
    truths = _truths(graded)
    for row, name in enumerate(["perfect", "most", "wrong", "half"]):
        drawn = _panel(sheet, row, 2, headings=1 + row // 2)
        np.testing.assert_array_equal(drawn, truths[name], name)


def test_the_worst_alone_come_worst_first_and_without_those_that_are_all_void(
    weights: Path, graded: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.png"
    assert _predict(weights, graded, sheet, "--worst", "9").exit_code == 0
    truths = _truths(graded)
    for row, name in enumerate(["wrong", "half", "most", "perfect"]):
        np.testing.assert_array_equal(_panel(sheet, row, 2, headings=1), truths[name], name)
    with Image.open(sheet) as picture:
        assert picture.height < 8 + HEADING + 5 * ROW


@pytest.mark.parametrize("option", [("--first", "0"), ("--count", "4"), ("--step", "1")])
def test_best_and_worst_go_with_no_other_choice_of_samples(
    weights: Path, graded: Path, tmp_path: Path, option: tuple[str, str]
) -> None:
    result = _predict(weights, graded, tmp_path / "sheet.png", "--worst", "1", *option)
    assert result.exit_code == 2
    assert "--best and --worst choose among all samples" in result.output


def test_best_and_worst_of_a_folder_of_images_are_refused(weights: Path, folder: Path, tmp_path: Path) -> None:
    result = _predict(weights, folder, tmp_path / "sheet.png", "--best", "1")
    assert result.exit_code == 2
    assert "--best and --worst need a data set" in result.output


def test_best_and_worst_of_nothing_but_void_are_refused(weights: Path, tmp_path: Path) -> None:
    root = write_voc_folder(tmp_path / "made", {"one": halves(255, 255)}, split="val")
    error = _predict(weights, root, tmp_path / "sheet.png", "--best", "1").exception
    assert isinstance(error, DatasetError)
    assert "all pixels of made/val are void" in str(error)


def test_with_the_data_hidden_only_predictions_and_their_errors_are_drawn(
    weights: Path, graded: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.png"
    result = _predict(weights, graded, sheet, "--best", "3", "--worst", "2", "--hide-data")
    assert result.exit_code == 0, result.output
    image = np.asarray(Image.open(graded / "JPEGImages" / "half.jpg"))
    with Image.open(sheet) as picture:
        pixels = np.array(picture)
    for row, column, rows_right in ((0, 0, 60), (0, 1, 55), (0, 2, 30), (1, 0, 0)):
        top, left = 8 + HEADING * (1 + row) + ROW * row, 8 + 150 * column
        pair = pixels[top : top + 60, left : left + 142]
        np.testing.assert_array_equal(pair[:, :70], _predicted(weights, image))
        assert (pair[:rows_right, 72:] == GREY).all()
        assert (pair[rows_right:, 72:] == RED).all()


def test_hidden_data_may_be_chosen_by_number_and_pictures_are_small_unless_told(weights: Path, tmp_path: Path) -> None:
    data = write_voc_folder(tmp_path / "made", {"one": halves(0, 8, 400, 320)}, split="val")
    sheet = tmp_path / "sheet.png"
    widths = []
    for options in ((), ("--side", "200")):
        assert _predict(weights, data, sheet, "--hide-data", "--count", "1", *options).exit_code == 0
        with Image.open(sheet) as picture:
            pixels = np.array(picture)
        errors = (pixels == GREY).all(axis=2) | (pixels == RED).all(axis=2)
        widths.append(int(errors[8:108].any(axis=0).sum()))
    assert widths == [128, 160]


def test_a_folder_of_images_with_the_images_hidden_gives_predictions(
    weights: Path, folder: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.png"
    assert _predict(weights, folder, sheet, "--hide-data").exit_code == 0
    with Image.open(folder / "c.png") as picture:
        upright = np.array(picture)
    for column in range(2):
        np.testing.assert_array_equal(_panel(sheet, 0, column), _predicted(weights, upright))
