import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, jaccard_score

from training.evaluation.metrics import ConfusionMatrix

TRUTH = np.array([[0, 0, 1], [1, 2, 255]], dtype=np.uint8)
PREDICTION = np.array([[0, 1, 1], [1, 0, 2]], dtype=np.uint8)

PAIRS = npst.arrays(np.uint8, (2, 4, 5), elements=st.integers(0, 3))


def _matrix(num_classes: int, truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> ConfusionMatrix:
    matrix = ConfusionMatrix(num_classes)
    matrix.update(truth, prediction)
    return matrix


def test_counts_by_hand() -> None:
    matrix = _matrix(3, TRUTH, PREDICTION)
    np.testing.assert_array_equal(matrix.counts, [[1, 1, 0], [0, 2, 0], [1, 0, 0]])
    np.testing.assert_array_equal(matrix.true_pixels, [2, 2, 1])


def test_scores_by_hand() -> None:
    matrix = _matrix(3, TRUTH, PREDICTION)
    np.testing.assert_allclose(matrix.iou, [1 / 3, 2 / 3, 0], rtol=1e-12)
    np.testing.assert_allclose(matrix.class_accuracy, [1 / 2, 1, 0], rtol=1e-12)
    assert matrix.pixel_accuracy == pytest.approx(3 / 5)
    assert matrix.mean_accuracy == pytest.approx(1 / 2)
    assert matrix.miou() == pytest.approx(1 / 3)
    assert matrix.miou([0, 1]) == pytest.approx(1 / 2)


def test_an_absent_class_is_no_number_and_counts_in_no_mean() -> None:
    matrix = _matrix(5, TRUTH, PREDICTION)
    assert np.isnan(matrix.iou[3:]).all()
    assert np.isnan(matrix.class_accuracy[3:]).all()
    assert matrix.miou() == pytest.approx(1 / 3)
    assert matrix.miou([1, 3]) == pytest.approx(2 / 3)
    assert matrix.mean_accuracy == pytest.approx(1 / 2)
    assert math.isnan(matrix.miou([3, 4]))


def test_a_class_that_is_only_predicted_has_an_iou_of_zero_and_no_accuracy() -> None:
    matrix = _matrix(3, np.array([[0, 0]], np.uint8), np.array([[0, 2]], np.uint8))
    assert matrix.iou[2] == 0
    assert math.isnan(matrix.class_accuracy[2])
    assert matrix.miou() == pytest.approx(1 / 4)


def test_nothing_counted_is_no_number() -> None:
    void = np.full((2, 2), 255, dtype=np.uint8)
    for matrix in (ConfusionMatrix(3), _matrix(3, void, np.zeros_like(void))):
        assert math.isnan(matrix.pixel_accuracy)
        assert math.isnan(matrix.mean_accuracy)
        assert math.isnan(matrix.miou())


@settings(max_examples=30)
@given(PAIRS, st.integers(0, 1000))
def test_void_pixels_change_nothing(pair: NDArray[np.uint8], seed: int) -> None:
    void = np.random.default_rng(seed).random(pair[0].shape) < 0.3
    truth = np.where(void, 255, pair[0]).astype(np.uint8)
    expected = np.zeros((4, 4), dtype=np.int64)
    np.add.at(expected, (pair[0][~void], pair[1][~void]), 1)
    np.testing.assert_array_equal(_matrix(4, truth, pair[1]).counts, expected)


@settings(max_examples=30)
@given(PAIRS, PAIRS)
def test_matrices_add(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> None:
    one, other = _matrix(4, *first), _matrix(4, *second)
    together = _matrix(4, np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]]))
    np.testing.assert_array_equal(one.counts + other.counts, together.counts)
    one.update(*second)
    np.testing.assert_array_equal(one.counts, together.counts)


@settings(max_examples=20)
@given(PAIRS)
def test_a_perfect_prediction_scores_one(pair: NDArray[np.uint8]) -> None:
    matrix = _matrix(4, pair[0], pair[0])
    assert matrix.pixel_accuracy == matrix.miou() == matrix.mean_accuracy == 1


def _random_masks(seed: int, num_classes: int = 21) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Three truths and predictions, (3, 40, 50) each: half of the pixels right, a tenth void, no last class."""
    random = np.random.default_rng(seed)
    truth, noise = random.integers(0, num_classes - 1, (2, 3, 40, 50), dtype=np.uint8)
    prediction = np.where(random.random(truth.shape) < 0.5, truth, noise)
    truth[random.random(truth.shape) < 0.1] = 255
    return truth, prediction


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_scikit_learn(seed: int) -> None:
    truth, prediction = _random_masks(seed)
    matrix = ConfusionMatrix(21)
    for one, other in zip(truth, prediction, strict=True):
        matrix.update(one, other)
    known = truth != 255
    pair = truth[known], prediction[known]
    labels = list(range(21))
    np.testing.assert_array_equal(matrix.counts, confusion_matrix(*pair, labels=labels))
    expected = jaccard_score(*pair, labels=labels[:20], average=None)
    np.testing.assert_allclose(matrix.iou[:20], expected, rtol=1e-12)
    assert math.isnan(matrix.iou[20])
    assert matrix.miou() == pytest.approx(jaccard_score(*pair, average="macro"), rel=1e-12)
    assert matrix.pixel_accuracy == pytest.approx(accuracy_score(*pair), rel=1e-12)
    assert matrix.mean_accuracy == pytest.approx(balanced_accuracy_score(*pair), rel=1e-12)


def test_masks_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"size \(2, 3\) cannot be compared with one of size \(3, 2\)"):
        _matrix(3, TRUTH, PREDICTION.T.copy())


def test_an_index_that_is_no_class_is_refused() -> None:
    with pytest.raises(ValueError, match="index 2 is not a class: there are 2"):
        _matrix(2, TRUTH, PREDICTION)
    with pytest.raises(ValueError, match="index 255 is not a class: there are 3"):
        _matrix(3, TRUTH, np.full_like(TRUTH, 255))
