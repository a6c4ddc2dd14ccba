import pytest

from app.pipeline.throughput import ThroughputEstimate


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _work(pace: ThroughputEstimate, clock: Clock, pixels: int, seconds: float) -> None:
    pace.begin()
    clock.now += seconds
    pace.end(pixels)


def test_the_pace_follows_what_is_measured() -> None:
    clock = Clock()
    pace = ThroughputEstimate(1e-6, clock)
    assert pace.seconds_per_pixel == pytest.approx(1e-6)
    for _ in range(60):
        _work(pace, clock, 10**6, 3.0)
        clock.now += 100  # no requests
    assert pace.seconds_per_pixel == pytest.approx(3e-6, rel=0.01)


def test_work_side_by_side_goes_as_fast_as_all_of_it() -> None:
    clock = Clock()
    pace = ThroughputEstimate(1e-6, clock)
    pace.begin()
    for _ in range(100):
        pace.begin()
        clock.now += 0.5
        pace.end(10**6)
    assert pace.seconds_per_pixel == pytest.approx(0.5e-6, rel=0.01)


def test_work_that_is_given_up_tells_nothing() -> None:
    clock = Clock()
    pace = ThroughputEstimate(1e-6, clock)
    _work(pace, clock, 0, 1000)
    assert pace.seconds_per_pixel == pytest.approx(1e-6)
    pace.begin()
    clock.now += 50
    pace.begin()
    pace.end(0)
    clock.now += 1
    pace.end(10**6)
    assert pace.seconds_per_pixel == pytest.approx(26.7e-6, rel=0.05), "the time of what went on beside it counts"
