import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.labels import IGNORE_INDEX, VOC, Labels
from tests.training.voc_folder import halves, write_voc_folder
from training.config import DataConfig, SmallImages, SourceConfig
from training.data.soft_labels import SoftLabels
from training.data.sources import open_sources
from training.errors import DatasetError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    first = {"f0": halves(0, 1), "f1": halves(0, 2, 70, 63), "f2": halves(0, 1, 64, 64), "f3": halves(0, 1, 90, 70)}
    write_voc_folder(tmp_path / "first", first)
    write_voc_folder(tmp_path / "second", {"s0": halves(3, 4)}, split="val")
    return tmp_path


FIRST = SourceConfig(Path("first"), per_batch=3)
SECOND = SourceConfig(Path("second"), "val")


def test_paths_start_from_the_folder_and_shares_stay(folder: Path) -> None:
    sources, validation = open_sources(DataConfig(folder, (FIRST, SECOND)), VOC)
    assert [source.dataset.root for source in sources] == [folder / "first", folder / "second"]
    assert [source.per_batch for source in sources] == [3, 16]
    assert [source.weights for source in sources] == [None, None]
    assert validation is None


def test_the_validation_set_is_opened_and_left_whole(folder: Path) -> None:
    config = DataConfig(folder, (FIRST,), SECOND, crop_size=64, small_images=SmallImages.DROP)
    sources, validation = open_sources(config, VOC)
    assert len(sources) == 1
    assert validation is not None
    assert validation.names == ["s0"]


def test_small_images_are_dropped_and_the_number_kept_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (source,), _ = open_sources(DataConfig(folder, (FIRST,), crop_size=64, small_images=SmallImages.DROP), VOC)
    assert source.dataset.names == ["f2", "f3"]
    assert "first/train: kept 2 of 4 images, the others are smaller than 64 x 64" in capsys.readouterr().out


def test_small_images_are_kept_where_they_are_padded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (source,), _ = open_sources(DataConfig(folder, (FIRST,), crop_size=64), VOC)
    assert source.dataset.names == ["f0", "f1", "f2", "f3"]
    assert "kept" not in capsys.readouterr().out


def test_a_data_set_of_small_images_alone_is_refused(folder: Path) -> None:
    config = DataConfig(folder, (FIRST,), crop_size=128, small_images=SmallImages.DROP)
    with pytest.raises(DatasetError, match=r"all images of .*first train are smaller than the crop"):
        open_sources(config, VOC)


def test_balance_favours_images_of_rare_classes(folder: Path) -> None:
    (source,), _ = open_sources(DataConfig(folder, (FIRST,), crop_size=64, balance=1), VOC)
    assert source.weights is not None
    np.testing.assert_allclose(source.weights, np.array([1 / 3, 1, 1 / 3, 1 / 3]) / 2)


def test_balance_counts_the_images_that_are_kept(folder: Path) -> None:
    config = DataConfig(folder, (FIRST,), crop_size=64, balance=1, small_images=SmallImages.DROP)
    (source,), _ = open_sources(config, VOC)
    assert source.weights is not None
    np.testing.assert_allclose(source.weights, [0.5, 0.5])


def test_images_without_masks_are_not_balanced(folder: Path) -> None:
    shutil.rmtree(folder / "first" / "SegmentationClass")
    (folder / "soft").mkdir()
    for name in ("f0", "f1", "f2", "f3"):
        SoftLabels(np.zeros((21, 4, 4), dtype=np.uint8)).save(folder / "soft" / f"{name}.npz")
    taught = SourceConfig(Path("first"), soft_labels=Path("soft"), labelled=False)
    (source,), _ = open_sources(DataConfig(folder, (taught,), balance=1), VOC)
    assert source.weights is None
    assert source.dataset[0].soft_labels is not None


def test_faults_of_sources_and_validation_come_in_one_error(folder: Path) -> None:
    (folder / "first" / "JPEGImages" / "f1.jpg").unlink()
    (folder / "second" / "SegmentationClass" / "s0.png").unlink()
    (folder / "second" / "ImageSets" / "Segmentation" / "empty.txt").write_text("")
    empty = SourceConfig(Path("second"), "empty")
    taught = SourceConfig(Path("first"), soft_labels=Path("soft"))
    with pytest.raises(DatasetError) as error:
        open_sources(DataConfig(folder, (FIRST, empty, taught), SECOND), VOC)
    for fault in ("f1.jpg is missing", "empty.txt names no image", "f3.npz is missing", "s0.png is missing"):
        assert fault in str(error.value)
    assert str(error.value).startswith("6 faults in the data:")


_OWN = Labels(("background", "leaf"), ((0, 0, 0), (0, 160, 60)))


def _own_config(folder: Path, mask: NDArray[np.uint8], *, allow_empty_classes: bool = False) -> DataConfig:
    """Configuration of a data set with two custom classes, whose only mask is this grey picture."""
    root = write_voc_folder(folder / "own", {"one": halves(0, 1)}, labels=_OWN)
    Image.fromarray(mask).save(root / "SegmentationClass" / "one.png")
    labels = folder / "labels.toml"
    return DataConfig(folder, (SourceConfig(Path("own")),), labels=labels, allow_empty_classes=allow_empty_classes)


def test_masks_of_0_and_255_are_refused_since_255_is_void(tmp_path: Path) -> None:
    expected = r"no mask has a pixel of class leaf \(255 is void, not a class\); --allow-empty-classes trains anyway"
    with pytest.raises(DatasetError, match=expected):
        open_sources(_own_config(tmp_path, halves(0, IGNORE_INDEX)), _OWN)


@pytest.mark.parametrize("allow_empty_classes", [False, True])
def test_masks_that_are_void_everywhere_are_refused(tmp_path: Path, allow_empty_classes: bool) -> None:
    mask = np.full((60, 70), IGNORE_INDEX, dtype=np.uint8)
    config = _own_config(tmp_path, mask, allow_empty_classes=allow_empty_classes)
    with pytest.raises(DatasetError, match=r"every pixel of every mask is void \(255\): there is nothing to learn"):
        open_sources(config, _OWN)


def test_an_own_class_without_a_pixel_is_refused_by_name_unless_it_is_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DatasetError, match="no mask has a pixel of class leaf "):
        open_sources(_own_config(tmp_path, halves(0, 0)), _OWN)
    sources, _ = open_sources(_own_config(tmp_path, halves(0, 0), allow_empty_classes=True), _OWN)
    assert len(sources[0].dataset) == 1
    assert "pixels: background 4,200, leaf 0" in capsys.readouterr().out


def test_masks_of_0_and_255_are_refused_with_vocs_classes_too(tmp_path: Path) -> None:
    write_voc_folder(tmp_path / "own", {"one": halves(0, IGNORE_INDEX)})
    source = SourceConfig(Path("own"))
    with pytest.raises(DatasetError, match="no mask has a pixel of class aeroplane, "):
        open_sources(DataConfig(tmp_path, (source,)), VOC)
    assert open_sources(DataConfig(tmp_path, (source,), allow_empty_classes=True), VOC)[0]


def test_how_many_pixels_each_class_has_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask = halves(0, 1)
    mask[:10] = IGNORE_INDEX
    open_sources(_own_config(tmp_path, mask), _OWN)
    assert "pixels: background 1,750, leaf 1,750, void 700" in capsys.readouterr().out
