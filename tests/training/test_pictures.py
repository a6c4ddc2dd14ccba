import numpy as np
import pytest

from model.labels import VOC
from tests.training.voc_folder import halves
from training.pictures import mask_panel, photograph_panel

CREAM, WHITE = (224, 224, 192), (255, 255, 255)


def test_a_photograph_that_fits_is_drawn_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 70, 3), dtype=np.uint8)
    panel = photograph_panel(image, (60, 70), "one")
    np.testing.assert_array_equal(np.asarray(panel.picture), image)
    assert panel.caption == "one"
    assert not panel.indices


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(400, 200, (100, 50)), (200, 600, (50, 150)), (10, 9000, (1, 150))]
)
def test_larger_pictures_are_shrunk_to_the_box(height: int, width: int, expected: tuple[int, int]) -> None:
    photograph = photograph_panel(np.zeros((height, width, 3), np.uint8), (100, 150)).picture
    mask = mask_panel(np.zeros((height, width), np.uint8), VOC, (100, 150)).picture
    assert (photograph.height, photograph.width) == (mask.height, mask.width) == expected


def test_a_shrunk_mask_has_the_colours_of_its_classes_and_no_others() -> None:
    panel = mask_panel(halves(8, 15, 400, 500), VOC, (100, 100))
    colors = np.asarray(panel.picture)
    np.testing.assert_array_equal(colors, VOC.colormap(halves(8, 15, 80, 100)))
    assert panel.indices == {8, 15}


def test_void_is_pale_with_a_white_outline_inside_of_it() -> None:
    mask = np.full((20, 30), 8, dtype=np.uint8)
    mask[5:10, 6:14] = 255
    colors = np.asarray(mask_panel(mask, VOC, (20, 30)).picture)
    expected = VOC.colormap(mask)
    expected[5:10, 6:14] = WHITE
    expected[6:9, 7:13] = CREAM
    np.testing.assert_array_equal(colors, expected)


def test_void_at_the_border_of_the_image_is_open_to_it() -> None:
    colors = np.asarray(mask_panel(halves(8, 255, 10, 10), VOC, (10, 10)).picture)
    assert (colors[:, 5] == WHITE).all()
    assert (colors[:, 6:] == CREAM).all()


def test_the_truths_void_is_outlined_over_a_prediction() -> None:
    prediction, truth = halves(0, 15, 20, 20, beside=False), np.zeros((20, 20), np.uint8)
    truth[4:16, 4:16] = 255
    panel = mask_panel(prediction, VOC, (20, 20), truth=truth)
    expected = VOC.colormap(prediction)
    inside = expected[5:15, 5:15].copy()
    expected[4:16, 4:16] = WHITE
    expected[5:15, 5:15] = inside
    np.testing.assert_array_equal(np.asarray(panel.picture), expected)
    assert panel.indices == {0, 15}
