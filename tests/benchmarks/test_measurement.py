import math

import pytest

from benchmarks.measurement import Measurement, percentile


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([7.0], 50, 7.0),
        ([7.0], 99, 7.0),
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([4.0, 3.0, 2.0, 1.0], 50, 2.0),
        ([4.0, 3.0, 2.0, 1.0], 51, 3.0),
        ([4.0, 3.0, 2.0, 1.0], 100, 4.0),
        ([float(value) for value in range(1, 101)], 95, 95.0),
        ([float(value) for value in range(1, 101)], 99, 99.0),
    ],
)
def test_a_percentile_is_the_nearest_rank(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == expected


def test_there_is_no_percentile_of_nothing() -> None:
    assert math.isnan(percentile([], 50))


def test_throughput_counts_good_answers_only() -> None:
    assert Measurement((1.0, 2.0, 3.0), elapsed_s=2.0, failures=5).throughput == 1.5
