from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.labels import IGNORE_INDEX
from tests.training.voc_folder import halves, write_voc_folder
from training.data.dataset import VocDataset
from training.data.inspection import inspect
from training.errors import DatasetError


def _faults(openers: list[Callable[[], VocDataset]]) -> list[str]:
    with pytest.raises(DatasetError) as error:
        inspect(openers)
    first, *faults = str(error.value).split("\n  ")
    assert first.endswith(" faults in the data:")
    return faults


def test_an_inspection_tells_sizes_and_classes(tmp_path: Path) -> None:
    with_void = halves(3, 15, 40, 50)
    with_void[:, 20:] = IGNORE_INDEX
    masks = {"one": halves(0, 8), "two": with_void}
    (inspection,) = inspect([partial(VocDataset, write_voc_folder(tmp_path / "made", masks), "train")])
    assert inspection.dataset.names == ["one", "two"]
    assert inspection.sizes.tolist() == [[60, 70], [40, 50]]
    assert inspection.pixels.shape == (2, 21)
    assert [np.flatnonzero(row).tolist() for row in inspection.pixels] == [[0, 8], [3]]
    assert inspection.pixels.sum(axis=1).tolist() == [60 * 70, 40 * 20]


def test_all_faults_of_all_data_sets_come_at_once_each_with_its_file(tmp_path: Path) -> None:
    first = write_voc_folder(tmp_path / "first", {f"f{index}": halves(0, 1) for index in range(7)})
    second = write_voc_folder(tmp_path / "second", {f"s{index}": halves(0, 1) for index in range(3)})
    third = write_voc_folder(tmp_path / "third", {})
    Image.fromarray(halves(0, 1, 61, 70)).save(first / "SegmentationClass" / "f0.png")
    Image.new("RGB", (70, 60), (1, 2, 3)).save(first / "SegmentationClass" / "f1.png")
    (first / "JPEGImages" / "f2.jpg").unlink()
    (first / "SegmentationClass" / "f3.png").unlink()
    (first / "JPEGImages" / "f4.jpg").write_bytes(b"no picture")
    Image.fromarray(halves(0, 99)).save(first / "SegmentationClass" / "f5.png")
    picture = (second / "JPEGImages" / "s1.jpg").read_bytes()
    (second / "JPEGImages" / "s1.jpg").write_bytes(picture[: len(picture) // 2])
    roots = [third, first, second, tmp_path / "fourth"]
    faults = _faults([partial(VocDataset, root, "train") for root in roots])
    expected = [
        ("third", "train.txt", "names no image"),
        ("first", "f0.png", "has size (61, 70), its image (60, 70)"),
        ("first", "f1.png", "colour (1, 2, 3) at row 0, column 0"),
        ("first", "f2.jpg", "is missing"),
        ("first", "f3.png", "is missing"),
        ("first", "f4.jpg", "cannot be decoded"),
        ("first", "f5.png", "index 99"),
        ("second", "s1.jpg", "cannot be decoded"),
        ("fourth", "SegmentationClass", "has neither folder"),
    ]
    assert len(faults) == len(expected)
    for fault, words in zip(faults, expected, strict=True):
        assert all(word in fault for word in words), fault


def test_one_fault_seen_twice_is_told_once(tmp_path: Path) -> None:
    root = write_voc_folder(tmp_path / "made", {"one": halves(0, 1), "two": halves(0, 1)})
    (root / "JPEGImages" / "two.jpg").unlink()
    faults = _faults([partial(VocDataset, root, "train")] * 2)
    assert faults == [f"{root / 'JPEGImages' / 'two.jpg'} is missing"]


def test_a_hundred_faults_are_named_and_the_others_counted(tmp_path: Path) -> None:
    root = write_voc_folder(tmp_path / "made", {})
    names = [f"n{number:03}" for number in range(130)]
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("\n".join(names))
    faults = _faults([partial(VocDataset, root, "train")])
    assert [Path(fault.split(" ")[0]).stem for fault in faults[:-1]] == names[:100]
    assert faults[-1] == "and 30 more"
