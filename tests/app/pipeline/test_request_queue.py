from contextlib import ExitStack

import pytest

from app.pipeline.cost import Price, Size
from app.pipeline.memory import Memory, Reservation
from app.pipeline.pace import Pace
from app.pipeline.request_queue import Lane
from app.problems import DEADLINE, QUEUE_FULL, TOO_COSTLY, ProblemError


def _lane(places: int = 3, deadline_s: float = 60) -> Lane:
    """That does a megapixel a second."""
    return Lane(places, Memory(10**9), Pace(1e-6, clock=lambda: 0.0), deadline_s)


def _price(megapixels: float, peak_bytes: int = 0, *, is_streamed: bool = False) -> Price:
    pixels = int(megapixels * 1e6)
    return Price(Size.LARGE, pixels, pixels, peak_bytes, 0, 0, is_streamed)


def _not_begun() -> float:
    return 0.0


def _refusal(lane: Lane, price: Price) -> ProblemError:
    with pytest.raises(ProblemError) as refused, lane.enter(price, _not_begun):
        pass
    return refused.value


def test_the_wait_is_that_of_the_pixels_before() -> None:
    lane = _lane()
    assert lane.wait_s == 0
    with lane.enter(_price(2), _not_begun), lane.enter(_price(5), _not_begun):
        assert lane.wait_s == pytest.approx(7)
        assert lane.requests == 2
    assert lane.wait_s == 0
    assert lane.requests == 0


def test_a_full_lane_says_when_what_waits_is_done() -> None:
    lane = _lane(places=2)
    with lane.enter(_price(2), _not_begun), lane.enter(_price(5.5), _not_begun):
        refused = _refusal(lane, _price(1))
        assert refused.problem is QUEUE_FULL
        assert refused.headers == {"Retry-After": "8"}
    with lane.enter(_price(1), _not_begun):
        pass


def test_what_cannot_be_done_in_time_is_refused_at_once() -> None:
    lane = _lane(deadline_s=10)
    never = _refusal(lane, _price(11))
    assert never.problem is DEADLINE
    assert never.headers is None, "it would take too long at any time"
    with ExitStack() as stack:
        stack.enter_context(lane.enter(_price(8), _not_begun))
        late = _refusal(lane, _price(3))
        assert late.problem is DEADLINE
        assert late.headers == {"Retry-After": "8"}
        assert "about 3 s, after 8 s of work that wait; 10 s are allowed" in late.detail
        stack.enter_context(lane.enter(_price(2), _not_begun))


def test_what_takes_more_memory_than_there_ever_is_is_refused() -> None:
    lane = _lane()
    refused = _refusal(lane, _price(1, peak_bytes=10**9 + 1))
    assert refused.problem is TOO_COSTLY
    assert "takes 1001 MB of memory; 1000 MB are allowed" in refused.detail
    with lane.enter(_price(1, peak_bytes=10**9), _not_begun):
        pass


def test_the_wait_shrinks_as_work_gets_on() -> None:
    lane, share = _lane(), [0.0]
    with lane.enter(_price(10), lambda: share[0]), lane.enter(_price(1), _not_begun):
        assert lane.wait_s == pytest.approx(11)
        share[0] = 0.75
        assert lane.wait_s == pytest.approx(3.5)


def test_an_answer_sent_while_it_is_made_waits_for_memory_alone() -> None:
    lane = _lane(deadline_s=10)
    with lane.enter(_price(100, is_streamed=True), _not_begun):
        with lane.enter(_price(100, peak_bytes=10**9, is_streamed=True), _not_begun):
            pass
        Reservation(lane.memory, 0).grow(1)
        late = _refusal(lane, _price(100, peak_bytes=10**9, is_streamed=True))
        assert late.problem is DEADLINE
        assert late.headers == {"Retry-After": "100"}
