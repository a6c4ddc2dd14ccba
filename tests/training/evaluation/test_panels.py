import numpy as np
import pytest
from PIL import Image

from model.labels import VOC
from tests.training.voc_folder import halves
from training.evaluation.panels import Panel, errors_panel, joined, mask_panel, photograph_panel

CREAM, WHITE = (224, 224, 192), (255, 255, 255)
GREY, RED = (184, 184, 184), (214, 40, 40)


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


def test_errors_are_red_what_is_right_is_grey_and_void_is_pale_whatever_is_predicted() -> None:
    prediction = np.array([[0, 8, 8], [8, 0, 15]], dtype=np.uint8)
    truth = np.array([[0, 8, 0], [15, 255, 255]], dtype=np.uint8)
    panel = errors_panel(prediction, truth, VOC, (2, 3), "errors")
    expected = [[GREY, GREY, RED], [RED, CREAM, CREAM]]
    np.testing.assert_array_equal(np.asarray(panel.picture), expected)
    assert panel.caption == "errors"
    assert panel.indices == {255}
    assert panel.meanings == {"right": GREY, "wrong": RED}


def test_shrunk_errors_have_no_other_colours_and_show_void_only_where_there_is_some() -> None:
    panel = errors_panel(halves(8, 15, 400, 500), halves(8, 12, 400, 500), VOC, (100, 100))
    expected = np.empty((80, 100, 3), np.uint8)
    expected[:, :50], expected[:, 50:] = GREY, RED
    np.testing.assert_array_equal(np.asarray(panel.picture), expected)
    assert not panel.indices


def test_joined_panels_stand_beside_each_other_with_a_narrow_seam_and_mean_what_each_means() -> None:
    left = Panel(Image.new("RGB", (3, 2), GREY), "left", frozenset({0, 8}), {"right": GREY})
    right = Panel(Image.new("RGB", (4, 2), RED), "right", frozenset({8, 255}), {"wrong": RED})
    whole = joined([left, right], "both")
    expected = np.full((2, 3 + 2 + 4, 3), WHITE, np.uint8)
    expected[:, :3], expected[:, 5:] = GREY, RED
    np.testing.assert_array_equal(np.asarray(whole.picture), expected)
    assert whole.caption == "both"
    assert whole.indices == {0, 8, 255}
    assert whole.meanings == {"right": GREY, "wrong": RED}
