import pytest

from benchmarks.arrivals import arrival_times


def test_arrivals_ascend_within_the_time() -> None:
    times = arrival_times(rate=50, seconds=4, max_requests=10_000)
    assert times == sorted(times)
    assert times[0] > 0
    assert times[-1] <= 4


def test_their_number_is_about_rate_times_time() -> None:
    assert len(arrival_times(rate=100, seconds=100, max_requests=100_000)) == pytest.approx(10_000, rel=0.05)


def test_there_are_never_more_than_allowed() -> None:
    assert len(arrival_times(rate=1000, seconds=1000, max_requests=7)) == 7


def test_a_seed_gives_one_pattern_at_any_rate() -> None:
    slow = arrival_times(rate=1, seconds=1000, max_requests=20)
    fast = arrival_times(rate=4, seconds=1000, max_requests=20)
    assert fast == pytest.approx([at / 4 for at in slow])
    assert slow != arrival_times(rate=1, seconds=1000, max_requests=20, seed=1)
