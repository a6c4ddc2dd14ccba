from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from model.labels import IGNORE_INDEX, Labels
from tests.model.images.encoding import png
from training.data.masks import read_mask
from training.errors import DatasetError

LABELS = Labels(("ground", "leaf", "sky"), ((0, 0, 0), (0, 160, 60), (30, 90, 200)))
MASK = np.array([[0, 1, 2, 255], [2, 2, 0, 1], [255, 0, 1, 2]], dtype=np.uint8)


def _read(picture: Image.Image, folder: Path) -> NDArray[np.uint8]:
    picture.save(folder / "mask.png")
    return read_mask(folder / "mask.png", LABELS)


def _palette_picture(mask: NDArray[np.uint8], palette: NDArray[np.uint8]) -> Image.Image:
    picture = Image.fromarray(mask)
    picture.putpalette(palette.tobytes())
    return picture


def test_palette_pictures_in_the_classes_colours_are_indices(tmp_path: Path) -> None:
    mask = _read(_palette_picture(MASK, LABELS.palette), tmp_path)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, MASK)


def test_palette_pictures_in_colours_of_no_class_are_indices(tmp_path: Path) -> None:
    foreign = np.arange(3 * 256).reshape(256, 3) % 251 + 3
    np.testing.assert_array_equal(_read(_palette_picture(MASK, foreign.astype(np.uint8)), tmp_path), MASK)


def test_grey_pictures_are_indices(tmp_path: Path) -> None:
    np.testing.assert_array_equal(_read(Image.fromarray(MASK), tmp_path), MASK)


def test_grey_pictures_of_16_bits_are_indices(tmp_path: Path) -> None:
    np.testing.assert_array_equal(_read(Image.fromarray(MASK.astype(np.uint16)), tmp_path), MASK)


def test_pictures_of_one_bit_are_indices(tmp_path: Path) -> None:
    bits = MASK == 1
    np.testing.assert_array_equal(_read(Image.fromarray(bits), tmp_path), bits.astype(np.uint8))


def test_pictures_in_the_classes_colours_are_their_classes(tmp_path: Path) -> None:
    np.testing.assert_array_equal(_read(Image.fromarray(LABELS.colormap(MASK)), tmp_path), MASK)


def test_pictures_of_three_equal_channels_are_indices(tmp_path: Path) -> None:
    np.testing.assert_array_equal(_read(Image.fromarray(np.stack([MASK] * 3, axis=-1)), tmp_path), MASK)


def test_transparent_pixels_are_void_whatever_their_colour(tmp_path: Path) -> None:
    alpha = np.full(MASK.shape, 255, dtype=np.uint8)
    alpha[1, 1] = alpha[2, 3] = 0
    expected = np.where(alpha == 0, IGNORE_INDEX, MASK)
    colors = np.dstack([LABELS.colormap(MASK), alpha])
    colors[1, 1, :3] = 1, 2, 3
    np.testing.assert_array_equal(_read(Image.fromarray(colors), tmp_path), expected)
    grey = MASK.copy()
    grey[1, 1] = 200
    np.testing.assert_array_equal(_read(Image.fromarray(np.dstack([grey, alpha])), tmp_path), expected)
    indices = np.dstack([np.stack([grey] * 3, axis=-1), alpha])
    np.testing.assert_array_equal(_read(Image.fromarray(indices), tmp_path), expected)


def test_half_transparent_pixels_are_refused(tmp_path: Path) -> None:
    colors = np.dstack([LABELS.colormap(MASK), np.full(MASK.shape, 128, dtype=np.uint8)])
    with pytest.raises(DatasetError, match=r"mask\.png: some pixels are half transparent"):
        _read(Image.fromarray(colors), tmp_path)


def test_a_colour_of_no_class_is_named_with_its_place_and_number(tmp_path: Path) -> None:
    colors = LABELS.colormap(MASK)
    colors[1, 2] = colors[2, 0] = 9, 8, 7
    with pytest.raises(DatasetError, match=r"mask\.png: colour \(9, 8, 7\) at row 1, column 2 .*\(2 such pixels\)"):
        _read(Image.fromarray(colors), tmp_path)


@pytest.mark.parametrize("kind", ["grey", "palette", "rgb"])
def test_an_index_of_no_class_is_named_with_its_place_and_number(kind: str, tmp_path: Path) -> None:
    mask = MASK.copy()
    mask[1, 2] = mask[2, 1] = 3
    picture = {
        "grey": Image.fromarray(mask),
        "palette": _palette_picture(mask, LABELS.palette),
        "rgb": Image.fromarray(np.stack([mask] * 3, axis=-1)),
    }[kind]
    with pytest.raises(
        DatasetError, match=r"mask\.png: index 3 at row 1, column 2 is not a class: there are 3 \(2 such pixels\)"
    ):
        _read(picture, tmp_path)


def test_a_grey_value_of_16_bits_is_not_cut_to_8(tmp_path: Path) -> None:
    mask = MASK.astype(np.uint16)
    mask[0, 0] = 257
    with pytest.raises(DatasetError, match="grey value 257 is not a class"):
        _read(Image.fromarray(mask), tmp_path)


def test_a_palette_that_shows_another_class_than_the_index_is_refused(tmp_path: Path) -> None:
    palette = LABELS.palette.copy()
    palette[[1, 2]] = palette[[2, 1]]
    with pytest.raises(DatasetError, match="index 1 is stored in the colour of class 2, sky"):
        _read(_palette_picture(MASK, palette), tmp_path)
    np.testing.assert_array_equal(_read(_palette_picture(MASK * 0, palette), tmp_path), MASK * 0)


def test_a_palette_that_shows_void_by_the_index_of_a_class_is_refused(tmp_path: Path) -> None:
    palette = LABELS.palette.copy()
    palette[1] = LABELS.void_color
    with pytest.raises(DatasetError, match="index 1 is stored in the colour of void"):
        _read(_palette_picture(MASK, palette), tmp_path)


def test_colours_and_grey_indices_in_one_picture_are_refused(tmp_path: Path) -> None:
    colors = LABELS.colormap(MASK)
    colors[0, 0] = 2, 2, 2
    with pytest.raises(DatasetError, match=r"mixed up: 1 pixels such as \(2, 2, 2\)"):
        _read(Image.fromarray(colors), tmp_path)


def test_a_missing_picture_and_one_that_is_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"absent\.png is missing"):
        read_mask(tmp_path / "absent.png", LABELS)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DatasetError, match=r"text\.png cannot be decoded"):
        read_mask(tmp_path / "text.png", LABELS)


@settings(max_examples=25)
@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    num_classes=st.integers(1, 255),
    kind=st.sampled_from(["palette", "grey", "colours"]),
    seed=st.integers(0, 1000),
)
def test_what_is_written_is_read_again(
    tmp_path: Path, shape: tuple[int, int], num_classes: int, kind: str, seed: int
) -> None:
    labels = Labels(
        tuple(f"class {index}" for index in range(num_classes)),
        tuple((index, 255 - index, 7) for index in range(num_classes)),
    )
    mask = np.random.default_rng(seed).choice([*range(num_classes), IGNORE_INDEX], shape).astype(np.uint8)
    match kind:
        case "palette":
            picture = _palette_picture(mask, labels.palette)
        case "grey":
            picture = Image.fromarray(mask)
        case _:
            picture = Image.fromarray(labels.colormap(mask))
    picture.save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", labels), mask)


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_pictures_of_two_and_four_bits_are_indices(bits: int, tmp_path: Path) -> None:
    indices = np.array([[0, 1, 2, 1]], dtype=np.uint8)
    row = np.packbits(np.unpackbits(indices, axis=0).reshape(8, 4).T[:, 8 - bits :].ravel())
    (tmp_path / "mask.png").write_bytes(png(4, 1, bits, 0, [row.tobytes()]))
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", LABELS), indices)
