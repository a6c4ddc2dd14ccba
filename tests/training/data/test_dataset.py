import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.labels import IGNORE_INDEX, VOC, Labels
from tests.training.voc_folder import halves, write_voc_folder
from training.data.dataset import VocDataset
from training.data.soft_labels import SoftLabels
from training.errors import DatasetError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    with_void = halves(0, 15)
    with_void[:3] = IGNORE_INDEX
    return write_voc_folder(tmp_path / "made", {"one": halves(8, 12, beside=False), "two": with_void})


def test_samples_are_those_of_the_list_in_its_order(root: Path) -> None:
    dataset = VocDataset(root, "train")
    assert dataset.names == ["one", "two"]
    assert len(dataset) == 2
    one, two = dataset[0], dataset[1]
    assert (one.name, two.name) == ("one", "two")
    assert one.image.shape == (60, 70, 3)
    assert one.image.dtype == one.mask.dtype == np.uint8
    np.testing.assert_array_equal(one.mask, halves(8, 12, beside=False))
    assert np.abs(one.image[5, 5].astype(int) - VOC.colors[8]).max() <= 3
    assert set(np.unique(two.mask)) == {0, 15, IGNORE_INDEX}


def test_masks_in_the_classes_colours_give_the_same_indices(root: Path) -> None:
    stored = VocDataset(root, "train")[1].mask
    Image.fromarray(VOC.colormap(stored)).save(root / "SegmentationClass" / "two.png")
    np.testing.assert_array_equal(VocDataset(root, "train")[1].mask, stored)


def test_grey_masks_are_indices(root: Path) -> None:
    Image.fromarray(halves(3, 255)).save(root / "SegmentationClass" / "two.png")
    np.testing.assert_array_equal(VocDataset(root, "train")[1].mask, halves(3, 255))


def test_augmented_masks_are_preferred(root: Path) -> None:
    write_voc_folder(root, {"one": halves(1, 2)}, folder="SegmentationClassAug")
    np.testing.assert_array_equal(VocDataset(root, "train")[0].mask, halves(1, 2))


def test_own_classes_decide_what_is_foreign(root: Path) -> None:
    labels = Labels(names=("a", "b"), colors=((0, 0, 0), (1, 1, 1)))
    with pytest.raises(DatasetError, match=r"one\.png: index 8 at row 0, column 0 is not a class: there are 2 "):
        VocDataset(root, "train", labels)[0]


def test_a_foreign_index_is_refused_by_file(root: Path) -> None:
    Image.fromarray(halves(0, 21)).save(root / "SegmentationClass" / "one.png")
    with pytest.raises(DatasetError, match=r"one\.png: index 21 at row 0, column 35 is not a class: there are 21 "):
        VocDataset(root, "train")[0]


def test_a_missing_list_is_refused_by_name(root: Path) -> None:
    with pytest.raises(DatasetError, match=r"val\.txt cannot be read: .*No such file"):
        VocDataset(root, "val")


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfone\ntwo\n",
        b"\xef\xbb\xbfone\r\ntwo\r\n",
        b"\n  one \t\n\n two\n\n",
        b"one.jpg\ntwo.jpg\n",
        b"one.JPG\ntwo.png\n",
        b".\\one.jpg\r\n./two\r\n",
        "one\r\ntwo\r\n".encode("utf-16"),
        b"\xfe\xff" + "one\ntwo\n".encode("utf-16-be"),
    ],
    ids=["byte order mark", "Windows", "blanks", "suffixes", "other suffixes", "paths", "PowerShell", "big-endian"],
)
def test_lists_are_read_as_other_systems_write_them(root: Path, text: bytes) -> None:
    (root / "ImageSets" / "Segmentation" / "train.txt").write_bytes(text)
    dataset = VocDataset(root, "train")
    assert dataset.names == ["one", "two"]
    np.testing.assert_array_equal(dataset[0].mask, halves(8, 12, beside=False))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"one\ntwo\none.jpg\n", "names images more than once: one"),
        (b"o\0n\0e\0", "zero bytes"),
        ("ön\n".encode("latin-1"), "cannot be read"),
        (b"\n \n", "names no image"),
    ],
    ids=["twice", "UTF-16 without a mark", "Latin-1", "empty"],
)
def test_a_list_that_cannot_be_meant_is_refused(root: Path, text: bytes, fault: str) -> None:
    (root / "ImageSets" / "Segmentation" / "train.txt").write_bytes(text)
    with pytest.raises(DatasetError, match=rf"train\.txt .*{fault}"):
        VocDataset(root, "train")


@pytest.mark.parametrize(
    "line", ["one  1", "one two", "one.jpg\tone.png", "JPEGImages/one.jpg SegmentationClass/one.png"]
)
def test_columns_of_a_list_are_no_names(root: Path, line: str) -> None:
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text(f"{line}\n")
    with pytest.raises(DatasetError, match="is missing; a line of a list is one name"):
        VocDataset(root, "train")[0]


def test_a_name_may_have_blanks_and_lie_in_a_folder(root: Path) -> None:
    for folder, suffix in (("JPEGImages", ".jpg"), ("SegmentationClass", ".png")):
        (root / folder / "new").mkdir()
        (root / folder / f"one{suffix}").rename(root / folder / "new" / f"my leaf{suffix}")
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("new\\my leaf.jpg\n")
    sample = VocDataset(root, "train")[0]
    assert sample.name == "new/my leaf"
    np.testing.assert_array_equal(sample.mask, halves(8, 12, beside=False))


@pytest.mark.parametrize(("file", "other"), [("JPEGImages/one.jpg", ".jp2"), ("SegmentationClass/one.png", ".tif")])
def test_a_file_of_a_suffix_that_is_not_read_is_named(root: Path, file: str, other: str) -> None:
    (root / file).rename((root / file).with_suffix(other))
    with pytest.raises(DatasetError, match=rf"{Path(file).name} is missing; found only one{other}"):
        VocDataset(root, "train")[0]


def test_a_missing_folder_of_images_is_named_once(root: Path) -> None:
    (root / "JPEGImages").rename(root / "images")
    with pytest.raises(DatasetError, match="has no folder JPEGImages"):
        VocDataset(root, "train")


def test_a_name_with_a_dot_is_no_suffix(root: Path) -> None:
    for folder, suffix in (("JPEGImages", ".jpg"), ("SegmentationClass", ".png")):
        (root / folder / f"one{suffix}").rename(root / folder / f"leaf.v2{suffix}")
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("leaf.v2\n")
    assert VocDataset(root, "train")[0].name == "leaf.v2"


@pytest.mark.parametrize("file", ["JPEGImages/two.jpg", "SegmentationClass/two.png"])
def test_a_missing_picture_is_refused_by_name_when_its_turn_comes(root: Path, file: str) -> None:
    (root / file).unlink()
    dataset = VocDataset(root, "train")
    assert dataset[0].name == "one"
    with pytest.raises(DatasetError, match=f"{Path(file).name} is missing"):
        dataset[1]


@pytest.mark.parametrize("file", ["JPEGImages/two.jpg", "SegmentationClass/two.png"])
def test_a_damaged_picture_is_refused_by_name(root: Path, file: str) -> None:
    (root / file).write_bytes((root / file).read_bytes()[:150])
    with pytest.raises(DatasetError, match=f"{Path(file).name} cannot be decoded"):
        VocDataset(root, "train")[1]


def test_without_masks_nothing_is_known_of_any_pixel(root: Path) -> None:
    shutil.rmtree(root / "SegmentationClass")
    dataset = VocDataset(root, "train", labelled=False)
    sample = dataset[1]
    assert sample.image.shape == (60, 70, 3)
    assert sample.mask.shape == (60, 70)
    assert sample.mask.dtype == np.uint8
    assert (sample.mask == IGNORE_INDEX).all()


def test_a_sample_brings_its_teachers_opinion(root: Path, tmp_path: Path) -> None:
    assert VocDataset(root, "train")[0].soft_labels is None
    written = {name: np.full((21, 15, 18), value, dtype=np.uint8) for name, value in (("one", 3), ("two", 9))}
    for name, probabilities in written.items():
        SoftLabels(probabilities).save(tmp_path / f"{name}.npz")
    dataset = VocDataset(root, "train", soft_labels=tmp_path)
    for index, name in enumerate(("one", "two")):
        opinion = dataset[index].soft_labels
        assert opinion is not None
        np.testing.assert_array_equal(opinion.probabilities, written[name])


def test_a_missing_opinion_is_refused_by_name(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"two\.npz is missing"):
        VocDataset(root, "train", soft_labels=tmp_path)[1]


def test_an_opinion_of_other_classes_is_refused(root: Path, tmp_path: Path) -> None:
    SoftLabels(np.zeros((20, 15, 18), dtype=np.uint8)).save(tmp_path / "one.npz")
    with pytest.raises(DatasetError, match=r"one\.npz holds \(20, 15, 18\) uint8, not uint8 of 21 classes"):
        VocDataset(root, "train", soft_labels=tmp_path)[0]


@pytest.mark.parametrize(
    ("count", "indices"), [(1, [0]), (2, [0, 9]), (4, [0, 3, 6, 9]), (10, list(range(10))), (11, list(range(10)))]
)
def test_a_choice_of_samples_is_spread_over_the_list(root: Path, count: int, indices: list[int]) -> None:
    dataset = VocDataset(root, "train")
    dataset.names = [str(number) for number in range(10)]
    assert dataset.spread(count) == indices


def test_samples_that_are_not_kept_are_forgotten(root: Path) -> None:
    dataset = VocDataset(root, "train")
    dataset.keep([1])
    assert len(dataset) == 1
    assert dataset[0].name == "two"


@pytest.mark.parametrize(("folder", "split"), [("voc2012", "val"), ("voc2012", "train"), ("extra", "val")])
def test_real_samples_are_read(shared_data: Path, folder: str, split: str) -> None:
    dataset = VocDataset(shared_data / folder, split)
    for index in (0, len(dataset) // 2, len(dataset) - 1):
        sample = dataset[index]
        assert sample.image.shape == (*sample.mask.shape, 3)
        assert min(sample.mask.shape) > 32
        assert sample.image.std() > 1
        assert len(np.unique(sample.mask)) > 1


def test_no_image_that_is_scored_is_trained_on(shared_data: Path) -> None:
    trained = {
        *VocDataset(shared_data / "voc2012", "trainaug").names,
        *VocDataset(shared_data / "extra", "train").names,
    }
    scored = {*VocDataset(shared_data / "voc2012", "val").names, *VocDataset(shared_data / "extra", "val").names}
    assert len(scored) > 400
    assert trained & scored == set()
