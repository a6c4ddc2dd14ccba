from pathlib import Path

import numpy as np
from PIL import Image

from training.evaluation.confusion_figure import save_confusion_picture

BLUE, GREY = (8, 48, 107), (217, 217, 217)


def _count(file: Path, color: tuple[int, int, int]) -> int:
    with Image.open(file) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    return int((np.abs(pixels - color).max(axis=2) <= 2).sum())


def test_rows_are_normalised_and_those_of_absent_classes_are_grey(tmp_path: Path) -> None:
    names = ["one", "two", "three", "four"]
    counts = np.array([[1000, 0, 0, 0], [0, 3, 0, 0], [0, 0, 0, 0], [5, 5, 5, 5]])
    save_confusion_picture(counts, names, tmp_path / "some.png")
    save_confusion_picture(np.zeros((4, 4), np.int64), names, tmp_path / "none.png")
    cell = _count(tmp_path / "none.png", GREY) / 16
    # Two cells are blue except for their "100", however few pixels the class has; the third row is grey.
    assert 1.7 * cell < _count(tmp_path / "some.png", BLUE) < 2.3 * cell
    assert 3.8 * cell < _count(tmp_path / "some.png", GREY) < 4.2 * cell
    assert _count(tmp_path / "none.png", BLUE) < 0.3 * cell


def test_the_picture_grows_with_the_classes(tmp_path: Path) -> None:
    heights = []
    for number in (2, 21):
        file = tmp_path / f"{number}.png"
        save_confusion_picture(np.eye(number, dtype=np.int64), [f"class {index}" for index in range(number)], file)
        with Image.open(file) as picture:
            heights.append(picture.height)
    assert heights[1] > 2 * heights[0]
