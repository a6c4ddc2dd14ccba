from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from PIL import Image

from model.errors import LabelsError
from model.labels import IGNORE_INDEX, VOC, Color, Labels, voc_color

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.mark.parametrize(
    ("name", "index", "color"),
    [
        ("background", 0, (0, 0, 0)),
        ("aeroplane", 1, (128, 0, 0)),
        ("bicycle", 2, (0, 128, 0)),
        ("cat", 8, (64, 0, 0)),
        ("person", 15, (192, 128, 128)),
        ("tvmonitor", 20, (0, 64, 128)),
    ],
)
def test_voc_classes_have_the_devkits_indices_and_colours(name: str, index: int, color: Color) -> None:
    assert VOC.names[index] == name
    assert VOC.colors[index] == color
    assert tuple(VOC.palette[index]) == color


def test_void_has_the_devkits_colour() -> None:
    assert voc_color(IGNORE_INDEX) == (224, 224, 192)
    assert VOC.void_color == (224, 224, 192)
    assert tuple(VOC.palette[IGNORE_INDEX]) == (224, 224, 192)


def test_voc_has_21_classes_background_first() -> None:
    assert len(VOC) == 21
    assert VOC.background_index == 0
    assert Labels(names=("a", "b"), colors=(RED, GREEN)).background_index is None


@settings(max_examples=30)
@given(
    npst.arrays(
        np.uint8,
        npst.array_shapes(min_dims=2, max_dims=2, max_side=20),
        elements=st.sampled_from([*range(21), IGNORE_INDEX]),
    )
)
def test_a_masks_colours_give_the_mask_back(mask: NDArray[np.uint8]) -> None:
    colormap = VOC.colormap(mask)
    assert colormap.shape == (*mask.shape, 3)
    assert colormap.dtype == np.uint8
    indices = VOC.indices(colormap)
    assert indices.dtype == np.uint8
    np.testing.assert_array_equal(indices, mask)


def test_own_classes_keep_their_own_colours() -> None:
    labels = Labels(names=("road", "tree"), colors=(GREEN, RED), void_color=BLUE)
    picture = np.array([[RED, GREEN, BLUE]], dtype=np.uint8)
    np.testing.assert_array_equal(labels.indices(picture), [[1, 0, 255]])
    np.testing.assert_array_equal(labels.colormap(np.array([[1, 0, 255]], dtype=np.uint8)), picture)


def test_unmapped_colours_are_refused_by_name() -> None:
    picture = np.zeros((3, 5, 3), dtype=np.uint8)
    picture[1, 4] = picture[2, 0] = (1, 2, 3)
    with pytest.raises(LabelsError, match=r"colour \(1, 2, 3\) at row 1, column 4 .*\(2 such pixels\)"):
        VOC.indices(picture)


def test_unmapped_colours_become_void_when_told_so() -> None:
    picture = np.array([[(1, 2, 3), (128, 0, 0), (224, 224, 192), (0, 0, 0)]], dtype=np.uint8)
    np.testing.assert_array_equal(VOC.indices(picture, unmapped_as_void=True), [[255, 1, 255, 0]])


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (1, 4, 4, 3)])
def test_a_label_picture_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(LabelsError, match="label picture"):
        VOC.indices(np.zeros(shape, dtype=np.uint8))


def test_a_label_picture_of_another_type_is_refused() -> None:
    with pytest.raises(LabelsError, match="float32"):
        VOC.indices(np.zeros((4, 4, 3), dtype=np.float32))


def test_an_index_without_a_class_has_no_colour() -> None:
    with pytest.raises(LabelsError, match="index 21 is not a class: there are 21"):
        VOC.colormap(np.array([[0, 21]], dtype=np.uint8))


@pytest.mark.parametrize(
    ("names", "colors", "complaint"),
    [
        ((), (), "1 to 255 classes, not 0"),
        (("a", "b"), (RED,), "2 class names, but 1 colours"),
        (("a", "a"), (RED, GREEN), "class names must all be different: a occurs 2 times"),
        (("a", "b"), (RED, RED), r"colours.* must all be different: \(255, 0, 0\) occurs 2 times"),
        (("a", "b"), (RED, BLUE), r"\(0, 0, 255\) occurs 2 times"),
        (("a",), ((0, 0, 256),), r"\(0, 0, 256\) is not a colour"),
        (("a",), ((0, -1, 0),), r"\(0, -1, 0\) is not a colour"),
        (("a",), ((0, 0),), r"\(0, 0\) is not a colour"),
    ],
)
def test_an_inconsistent_table_is_refused(names: tuple[str, ...], colors: tuple[Color, ...], complaint: str) -> None:
    with pytest.raises(LabelsError, match=complaint):
        Labels(names=names, colors=colors, void_color=BLUE)


def test_a_table_has_at_most_255_classes() -> None:
    def table(size: int) -> Labels:
        return Labels(
            names=tuple(map(str, range(size))), colors=tuple((0, 0, index) for index in range(size)), void_color=RED
        )

    assert len(table(255)) == 255
    with pytest.raises(LabelsError, match="not 256"):
        table(256)


def test_a_real_masks_colours_give_the_indices_it_stores(shared_data: Path) -> None:
    folder = shared_data / "voc2012"
    names = (folder / "ImageSets" / "Segmentation" / "val.txt").read_text().split()[:5]
    seen: set[int] = set()
    for name in names:
        with Image.open(folder / "SegmentationClassAug" / f"{name}.png") as picture:
            assert picture.mode == "P"
            stored, colors = np.array(picture), np.array(picture.convert("RGB"))
        np.testing.assert_array_equal(VOC.indices(colors), stored)
        np.testing.assert_array_equal(VOC.colormap(stored), colors)
        seen |= set(np.unique(stored).tolist())
    assert len(seen - {0, IGNORE_INDEX}) >= 2
