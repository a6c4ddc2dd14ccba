from contextlib import ExitStack

import pytest

from app.pipeline.admission import Admission
from app.pipeline.cost import Cost, Size
from app.pipeline.memory import MemoryBudget, Reservation
from app.pipeline.request_queue import RequestQueue
from app.pipeline.throughput import ThroughputEstimate
from app.problems import DEADLINE, QUEUE_FULL, TOO_COSTLY, ProblemError


def _queue(slots: int = 3, deadline_s: float = 60) -> RequestQueue:
    """A queue whose throughput is a megapixel per second."""
    return RequestQueue(slots, MemoryBudget(10**9), ThroughputEstimate(1e-6, clock=lambda: 0.0), deadline_s)


def _cost(megapixels: float, peak_bytes: int = 0, *, is_streamed: bool = False) -> Cost:
    pixels = int(megapixels * 1e6)
    return Cost(Size.LARGE, pixels, pixels, peak_bytes, 0, 0, is_streamed)


def _admission() -> Admission:
    return Admission(MemoryBudget(0).empty_reservation())


def _refusal(queue: RequestQueue, cost: Cost) -> ProblemError:
    with pytest.raises(ProblemError) as refused, queue.enter(_admission(), cost):
        pass
    return refused.value


def test_the_wait_is_that_of_the_pixels_before() -> None:
    queue = _queue()
    assert queue.wait_s == 0
    with queue.enter(_admission(), _cost(2)), queue.enter(_admission(), _cost(5)):
        assert queue.wait_s == pytest.approx(7)
        assert queue.requests == 2
    assert queue.wait_s == 0
    assert queue.requests == 0


def test_a_full_lane_says_when_what_waits_is_done() -> None:
    queue = _queue(slots=2)
    with queue.enter(_admission(), _cost(2)), queue.enter(_admission(), _cost(5.5)):
        refused = _refusal(queue, _cost(1))
        assert refused.problem is QUEUE_FULL
        assert refused.retry_after_s == 8
    with queue.enter(_admission(), _cost(1)):
        pass


def test_what_cannot_be_done_in_time_is_refused_at_once() -> None:
    queue = _queue(deadline_s=10)
    never = _refusal(queue, _cost(11))
    assert never.problem is DEADLINE
    assert never.retry_after_s is None, "it would take too long at any time"
    with ExitStack() as stack:
        stack.enter_context(queue.enter(_admission(), _cost(8)))
        late = _refusal(queue, _cost(3))
        assert late.problem is DEADLINE
        assert late.retry_after_s == 8
        assert "about 3 s, after 8 s of waiting work; 10 s are allowed" in late.detail
        stack.enter_context(queue.enter(_admission(), _cost(2)))


def test_what_takes_more_memory_than_there_ever_is_is_refused() -> None:
    queue = _queue()
    refused = _refusal(queue, _cost(1, peak_bytes=10**9 + 1))
    assert refused.problem is TOO_COSTLY
    assert "needs 1001 MB of memory; 1000 MB are allowed" in refused.detail
    with queue.enter(_admission(), _cost(1, peak_bytes=10**9)):
        pass


def test_the_wait_shrinks_as_work_gets_on() -> None:
    queue, admission = _queue(), _admission()
    with queue.enter(admission, _cost(10)), queue.enter(_admission(), _cost(1)):
        assert queue.wait_s == pytest.approx(11)
        admission.progress = 0.75
        assert queue.wait_s == pytest.approx(3.5)


def test_an_answer_sent_while_it_is_made_waits_for_memory_alone() -> None:
    queue = _queue(deadline_s=10)
    with queue.enter(_admission(), _cost(100, is_streamed=True)):
        with queue.enter(_admission(), _cost(100, peak_bytes=10**9, is_streamed=True)):
            pass
        Reservation(queue.memory, 0).grow(1)
        late = _refusal(queue, _cost(100, peak_bytes=10**9, is_streamed=True))
        assert late.problem is DEADLINE
        assert late.retry_after_s == 100
