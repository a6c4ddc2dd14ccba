from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.labels import IGNORE_INDEX, VOC, Labels
from tests.training.voc_folder import halves, write_voc_folder
from training.dataset import VocDataset
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
    with pytest.raises(DatasetError, match=r"one\.png holds index 8, but there are 2 classes"):
        VocDataset(root, "train", labels)[0]


def test_a_foreign_index_is_refused_by_file(root: Path) -> None:
    Image.fromarray(halves(0, 21)).save(root / "SegmentationClass" / "one.png")
    with pytest.raises(DatasetError, match=r"one\.png holds index 21, but there are 21 classes"):
        VocDataset(root, "train")[0]


def test_a_foreign_colour_is_refused_by_file(root: Path) -> None:
    Image.new("RGB", (70, 60), (1, 2, 3)).save(root / "SegmentationClass" / "one.png")
    with pytest.raises(DatasetError, match=r"one\.png: colour \(1, 2, 3\) at row 0, column 0"):
        VocDataset(root, "train")[0]


def test_a_missing_list_is_refused_by_name(root: Path) -> None:
    with pytest.raises(DatasetError, match=r"val\.txt cannot be read: No such file"):
        VocDataset(root, "val")


def test_an_empty_list_is_refused(root: Path) -> None:
    (root / "ImageSets" / "Segmentation" / "val.txt").write_text("\n")
    with pytest.raises(DatasetError, match=r"val\.txt names no image"):
        VocDataset(root, "val")


def test_a_folder_without_masks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has neither folder SegmentationClassAug nor SegmentationClass"):
        VocDataset(tmp_path, "train")


@pytest.mark.parametrize("file", ["JPEGImages/two.jpg", "SegmentationClass/two.png"])
def test_a_missing_picture_is_refused_by_name_when_its_turn_comes(root: Path, file: str) -> None:
    (root / file).unlink()
    dataset = VocDataset(root, "train")
    assert dataset[0].name == "one"
    with pytest.raises(DatasetError, match=f"{Path(file).name} cannot be read"):
        dataset[1]


@pytest.mark.parametrize("file", ["JPEGImages/two.jpg", "SegmentationClass/two.png"])
def test_a_damaged_picture_is_refused_by_name(root: Path, file: str) -> None:
    (root / file).write_bytes((root / file).read_bytes()[:150])
    with pytest.raises(DatasetError, match=f"{Path(file).name} cannot be read"):
        VocDataset(root, "train")[1]


def test_a_mask_of_another_size_is_refused(root: Path) -> None:
    Image.fromarray(halves(0, 1, 61, 70)).save(root / "SegmentationClass" / "one.png")
    with pytest.raises(DatasetError, match=r"one\.png has size \(61, 70\), its image \(60, 70\)"):
        VocDataset(root, "train")[0]


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
