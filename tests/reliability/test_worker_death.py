import pytest

from benchmarks.reliability.traffic import NO_ANSWER
from benchmarks.reliability.witness import Event
from benchmarks.reliability.worker_death import Death, Deaths, findings, kill_workers


@pytest.mark.slow
def test_a_killed_worker_takes_its_own_requests_with_it_and_comes_back() -> None:
    seen = kill_workers(repeats=1, steady_s=0)
    assert [finding for finding in findings(seen) if not finding.holds] == []
    assert len(seen.failed()) <= len(seen.deaths[0].ports)


def test_requests_that_no_killed_worker_had_are_found() -> None:
    events = [
        Event(0, 1.0, 1.0, 5.1, NO_ANSWER, "", b"", 1),  # the worker's
        Event(1, 1.0, 1.0, 5.1, NO_ANSWER, "", b"", 2),  # another's
        Event(2, 1.0, 1.0, 4.0, NO_ANSWER, "", b"", 1),  # too early
        Event(3, 1.0, 1.0, 5.1, 503, "", b"", 1),  # answered, and wrong
        Event(4, 1.0, 1.0, 5.1, 200, "", b"", 2),
    ]
    seen = Deaths([Death(5.0, 2.0, frozenset({1}))], events, exit_code=0)
    assert [event.request for event in seen.elsewhere()] == [1, 2, 3]
