import pytest

from benchmarks.reliability.request_log import LoggedRequest
from benchmarks.reliability.worker_death import Death, Deaths, findings, kill_workers
from benchmarks.traffic import NO_ANSWER
from tests.reliability.missed import missed


@pytest.mark.slow
def test_a_killed_worker_takes_its_own_requests_with_it_and_comes_back() -> None:
    seen = kill_workers(repeats=1, steady_s=0)
    assert missed(findings(seen)) == []
    assert len(seen.failed()) <= len(seen.deaths[0].ports)


def test_requests_that_no_killed_worker_had_are_found() -> None:
    events = [
        LoggedRequest(0, 1.0, 1.0, 5.1, NO_ANSWER, "", b"", 1),  # the worker's
        LoggedRequest(1, 1.0, 1.0, 5.1, NO_ANSWER, "", b"", 2),  # another's
        LoggedRequest(2, 1.0, 1.0, 4.0, NO_ANSWER, "", b"", 1),  # too early
        LoggedRequest(3, 1.0, 1.0, 5.1, 503, "", b"", 1),  # answered, and wrong
        LoggedRequest(4, 1.0, 1.0, 5.1, 200, "", b"", 2),
    ]
    seen = Deaths([Death(5.0, 2.0, frozenset({1}))], events, exit_code=0)
    assert [event.request for event in seen.elsewhere()] == [1, 2, 3]
