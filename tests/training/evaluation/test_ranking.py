import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.ranking import Ranking, image_miou, rank


def test_the_miou_of_an_image_leaves_out_void_and_classes_that_are_nowhere() -> None:
    truth = np.array([[0, 0, 255], [1, 1, 255]], dtype=np.uint8)
    prediction = np.array([[0, 0, 5], [1, 0, 5]], dtype=np.uint8)
    assert image_miou(truth, prediction, 21) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_a_class_that_is_only_predicted_or_only_true_counts_as_0() -> None:
    truth = np.array([[0, 0, 0, 0]], dtype=np.uint8)
    prediction = np.array([[0, 0, 0, 2]], dtype=np.uint8)
    assert image_miou(truth, prediction, 3) == pytest.approx((3 / 4 + 0) / 2)
    assert image_miou(prediction, truth, 3) == pytest.approx((3 / 4 + 0) / 2)


def test_an_image_that_is_all_void_has_no_miou() -> None:
    assert math.isnan(image_miou(np.full((2, 3), 255, np.uint8), np.zeros((2, 3), np.uint8), 3))


def test_the_best_come_from_the_top_and_the_worst_from_the_bottom() -> None:
    assert rank([0.5, 0.1, 0.9, 0.3, 0.7], 2, 2) == Ranking(best=(2, 4), worst=(1, 3))
    assert rank([0.5, 0.1, 0.9, 0.3, 0.7], 0, 1) == Ranking(best=(), worst=(1,))
    assert rank([0.5, 0.1, 0.9, 0.3, 0.7], 1, 0) == Ranking(best=(2,), worst=())


def test_of_equal_scores_the_first_is_better() -> None:
    assert rank([0.5, 0.5, 0.5, 0.5], 2, 2) == Ranking(best=(0, 1), worst=(3, 2))


def test_images_without_a_score_are_left_out() -> None:
    assert rank([math.nan, 0.1, math.nan, 0.2], 1, 5) == Ranking(best=(3,), worst=(1,))
    assert rank([math.nan], 1, 1) == Ranking(best=(), worst=())


@given(
    st.lists(st.floats(0, 1) | st.just(math.nan), max_size=12),
    st.integers(0, 8),
    st.integers(0, 8),
)
def test_as_many_as_there_are_none_twice_and_none_between_is_better_or_worse(
    scores: list[float], best: int, worst: int
) -> None:
    ranking = rank(scores, best, worst)
    scored = {number for number, score in enumerate(scores) if not math.isnan(score)}
    drawn = {*ranking.best, *ranking.worst}
    assert len(ranking.best) == min(best, len(scored))
    assert len(ranking.worst) == min(worst, len(scored) - len(ranking.best))
    assert len(drawn) == len(ranking.best) + len(ranking.worst)
    assert drawn <= scored
    between = [scores[number] for number in scored - drawn]
    assert all(scores[number] >= max(between, default=0) for number in ranking.best)
    assert all(scores[number] <= min(between, default=1) for number in ranking.worst)
