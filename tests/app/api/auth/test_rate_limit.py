from hypothesis import given
from hypothesis import strategies as st

from app.api.auth.rate_limit import RateLimit


class Clock:
    """A clock in seconds that tests advance."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_then_so_many_a_second() -> None:
    clock = Clock()
    limit = RateLimit(per_s=4, burst=3, clock=clock)
    assert [limit.take("a") for _ in range(5)] == [0, 0, 0, 0.25, 0.25]
    clock.now += 0.125
    assert limit.take("a") == 0.125
    clock.now += 0.125
    assert [limit.take("a") for _ in range(2)] == [0, 0.25]


def test_clients_do_not_share() -> None:
    limit = RateLimit(per_s=1, burst=1, clock=Clock())
    assert limit.take("a") == 0
    assert limit.take("a") > 0
    assert limit.take("b") == 0


def test_a_bucket_never_holds_more_than_a_burst() -> None:
    clock = Clock()
    limit = RateLimit(per_s=1, burst=2, clock=clock)
    limit.take("a")
    clock.now += 3600
    assert [limit.take("a") for _ in range(3)] == [0, 0, 1]


def test_full_buckets_are_forgotten() -> None:
    clock = Clock()
    limit = RateLimit(per_s=1, burst=2, clock=clock)
    for client in "abc":
        limit.take(client)
    assert len(limit) == 3
    clock.now += 1
    limit.take("d")
    assert len(limit) == 1


def test_buckets_are_bounded_and_those_in_use_stay() -> None:
    limit = RateLimit(per_s=1, burst=2, max_buckets=100, clock=Clock())
    waits = []
    for number in range(1000):
        assert limit.take(f"stranger {number}") == 0
        waits.append(limit.take("busy"))
    assert waits == [0, 0] + 998 * [1]
    assert len(limit) == 100


@given(
    per_s=st.floats(0.01, 1000),
    burst=st.integers(1, 50),
    pauses_s=st.lists(st.floats(0, 10), max_size=100),
)
def test_nobody_gets_more_than_burst_and_rate_and_the_wait_told_is_enough(
    per_s: float, burst: int, pauses_s: list[float]
) -> None:
    clock = Clock()
    limit = RateLimit(per_s, burst, clock=clock)
    passed = 0
    for pause_s in pauses_s:
        clock.now += pause_s
        passed += limit.take("a") == 0
    assert passed <= burst + (clock.now - 1000) * per_s + 1e-6
    while (wait_s := limit.take("a")) == 0:
        pass
    clock.now += wait_s + 1e-6
    assert limit.take("a") == 0
