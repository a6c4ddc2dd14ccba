import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.training.voc_folder import halves
from training.evaluation.boundary import BoundaryIoU, band_width, boundaries

Mask = NDArray[np.uint8]


def _square(left: int) -> Mask:
    """A mask of 7 x 7 with a 3 x 3 square of class 1."""
    mask = np.zeros((7, 7), dtype=np.uint8)
    mask[2:5, left : left + 3] = 1
    return mask


def _score(num_classes: int, *pairs: tuple[Mask, Mask]) -> BoundaryIoU:
    score = BoundaryIoU(num_classes)
    for truth, prediction in pairs:
        score.update(truth, prediction)
    return score


def _eroded(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Erode repeatedly by a 3 x 3 square, pixel by pixel, as cv2.erode does in the reference implementation."""
    for _ in range(width):
        before = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), dtype=bool)
        before[1:-1, 1:-1] = mask
        mask = np.array(
            [[before[y : y + 3, x : x + 3].all() for x in range(mask.shape[1])] for y in range(mask.shape[0])]
        )
    return mask


def _by_definition(truth: Mask, prediction: Mask, index: int, width: int) -> tuple[int, int]:
    """Intersection and union of one class's bands in one image."""
    known = truth != 255
    one, other = (truth == index) & known, (prediction == index) & known
    one, other = one & ~_eroded(one, width), other & ~_eroded(other, width)
    return int((one & other).sum()), int((one | other).sum())


def test_the_boundary_iou_of_a_shifted_square_by_hand() -> None:
    # The band is 1 pixel wide: class 1's are rings of 8 pixels, 4 of which they share. All 40 background pixels of the
    # truth touch the square or the border; of the prediction's 40, the 5 in column 1 do not, and 3 are the truth's
    # square.
    score = _score(2, (_square(2), _square(3)))
    np.testing.assert_allclose(score.iou, [32 / (40 + 35 - 32), 4 / (8 + 8 - 4)], rtol=1e-12)
    assert score.mean([0, 1]) == pytest.approx((32 / 43 + 1 / 3) / 2)
    assert score.mean([1]) == pytest.approx(1 / 3)


def test_the_band_runs_along_the_classs_edge_and_the_images_border() -> None:
    band = boundaries(halves(0, 1, 5, 10), 1)
    expected = np.ones((5, 10), dtype=bool)
    expected[1:4, 1:4] = expected[1:4, 6:9] = False
    np.testing.assert_array_equal(band, expected)


def test_a_mistake_far_from_every_boundary_costs_the_inner_outline_alone() -> None:
    truth = np.zeros((40, 40), dtype=np.uint8)
    prediction = truth.copy()
    prediction[19:22, 19:22] = 1
    # 156 pixels along the border are found; 16 around the wrong square are not in the truth's band.
    np.testing.assert_allclose(_score(2, (truth, prediction)).iou, [156 / (156 + 16), 0], rtol=1e-12)


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(1, 1, 1), (30, 40, 1), (60, 80, 2), (375, 500, 12), (1080, 1920, 44)]
)
def test_the_band_is_two_percent_of_the_diagonal_wide(height: int, width: int, expected: int) -> None:
    assert band_width(height, width) == expected


def _patchwork(random: np.random.Generator, height: int, width: int) -> tuple[Mask, Mask]:
    """A truth and a prediction in patches of 4 x 5, classes 0 to 3; a few are void, most are predicted right."""
    truth, noise = random.integers(0, 4, (2, 4, 5), dtype=np.uint8)
    prediction = np.where(random.random(truth.shape) < 0.7, truth, noise)
    truth[random.random(truth.shape) < 0.2] = 255
    patch = np.ones((height // 4 + 1, width // 5 + 1), dtype=np.uint8)
    return np.kron(truth, patch)[:height, :width], np.kron(prediction, patch)[:height, :width]


@pytest.mark.parametrize(("height", "width"), [(21, 34), (50, 62), (70, 110)])
def test_boundary_iou_is_the_definitions_pixel_by_pixel(height: int, width: int) -> None:
    random = np.random.default_rng(0)
    pairs = [_patchwork(random, height, width) for _ in range(2)]
    expected = []
    for index in range(4):
        parts = [_by_definition(*pair, index, band_width(height, width)) for pair in pairs]
        intersection, union = (sum(part) for part in zip(*parts, strict=True))
        expected.append(intersection / union)
    assert 0 < min(expected) < max(expected) < 1
    np.testing.assert_allclose(_score(4, *pairs).iou, expected, rtol=1e-12)


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_a_perfect_prediction_scores_one_whatever_lies_under_void(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.choice(np.array([0, 1, 2, 255], np.uint8), size=(9, 12))
    prediction = np.where(truth == 255, random.integers(0, 3, truth.shape), truth).astype(np.uint8)
    score = _score(3, (truth, prediction))
    np.testing.assert_array_equal(score.iou[np.unique(truth[truth != 255])], 1)


def test_an_absent_class_is_no_number_and_counts_in_no_mean() -> None:
    score = _score(3, (_square(2), _square(2)))
    assert math.isnan(score.iou[2])
    assert score.mean([0, 1, 2]) == 1
    assert math.isnan(score.mean([2]))


def test_nothing_known_is_no_number() -> None:
    void = np.full((4, 4), 255, dtype=np.uint8)
    assert np.isnan(_score(2, (void, np.zeros_like(void))).iou).all()


def test_masks_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"size \(7, 7\) cannot be compared with one of size \(7, 6\)"):
        _score(2, (_square(2), _square(2)[:, :6]))


def test_an_index_that_is_no_class_is_refused() -> None:
    with pytest.raises(ValueError, match="index 1 is not a class: there are 1"):
        _score(1, (_square(2), _square(2)))
