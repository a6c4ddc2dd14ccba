import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from app.formats.rle import decode_rle, encode_rle


def test_runs_go_down_the_columns_and_start_with_zeros() -> None:
    mask = np.array([[0, 1, 1], [0, 1, 0]], dtype=bool)
    assert encode_rle(mask) == [2, 3, 1]


def test_a_mask_that_starts_with_ones_has_no_zeros_first() -> None:
    assert encode_rle(np.array([[1, 0]], dtype=bool)) == [0, 1, 1]


@settings(max_examples=100)
@given(mask=arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_encode_then_decode_is_identity(mask: NDArray[np.bool_]) -> None:
    counts = encode_rle(mask)
    np.testing.assert_array_equal(decode_rle(counts, *mask.shape), mask)
    assert all(count > 0 for count in counts[1:])


def test_runs_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="5 pixels"):
        decode_rle([2, 3], 2, 2)
