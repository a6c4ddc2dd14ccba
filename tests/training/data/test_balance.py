import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from training.data.balance import image_balancing_weights, pixel_balancing_weights


def test_image_balancing_weights_by_hand() -> None:
    shows = np.array([[True, True, False], [True, False, False], [True, False, True], [True, False, True]])
    np.testing.assert_allclose(image_balancing_weights(shows, 0), [0.25] * 4)
    np.testing.assert_allclose(image_balancing_weights(shows, 1), np.array([1, 1 / 4, 1 / 2, 1 / 2]) / 2.25)
    np.testing.assert_allclose(
        image_balancing_weights(shows, 0.5), np.array([1, 1 / 2, 0.5**0.5, 0.5**0.5]) / 2.914214, rtol=1e-6
    )


def test_a_sample_without_any_class_is_common() -> None:
    weights = image_balancing_weights(np.array([[False, False], [True, False]]), 1)
    np.testing.assert_allclose(weights, [1 / 3, 2 / 3])


def test_pixel_balancing_weights_by_hand() -> None:
    pixels = np.array([[90, 10], [100, 0], [0, 100], [90, 10]])  # 280 and 120 pixels of 400
    np.testing.assert_allclose(pixel_balancing_weights(pixels, 0), [0.25] * 4)
    value = [0.9 / 0.7 + 0.1 / 0.3, 1 / 0.7, 1 / 0.3, 0.9 / 0.7 + 0.1 / 0.3]
    np.testing.assert_allclose(pixel_balancing_weights(pixels, 1), np.array(value) / sum(value))


@given(rare=arrays(np.int64, 5, elements=st.integers(0, 400)), balance=st.floats(0, 1))
def test_the_class_of_few_pixels_is_seen_at_least_as_often_as_without_weights(
    rare: NDArray[np.int64], balance: float
) -> None:
    pixels = np.stack([1000 - rare, rare], axis=1)
    weights = pixel_balancing_weights(pixels, balance)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    assert weights @ rare >= rare.mean() - 1e-9


def test_samples_without_a_known_pixel_have_the_mean_chance() -> None:
    np.testing.assert_allclose(pixel_balancing_weights(np.array([[1, 0], [0, 0], [0, 1]]), 1), [1 / 3] * 3)
    np.testing.assert_allclose(pixel_balancing_weights(np.zeros((2, 3), dtype=np.int64), 1), [0.5, 0.5])
