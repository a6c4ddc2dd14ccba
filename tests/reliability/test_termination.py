from pathlib import Path

import pytest

from benchmarks.photograph import photograph
from benchmarks.reliability.request_log import LoggedRequest
from benchmarks.reliability.termination import Termination, findings, requests, terminate
from benchmarks.traffic import NO_ANSWER
from tests.reliability.missed import missed


@pytest.mark.slow
def test_sigterm_under_load_loses_nothing(tmp_path: Path) -> None:
    seen = terminate(requests(tmp_path), photograph("cat"), after_s=1)
    assert seen.before()
    assert missed(findings([seen])) == []


def test_requests_that_were_lost_or_taken_too_late_are_found() -> None:
    events = [
        LoggedRequest(0, 1.0, 2.0, 9.0, NO_ANSWER, "", b"", 1),  # lost
        LoggedRequest(1, 1.0, 6.0, 9.0, NO_ANSWER, "", b"", 2),  # had not been sent whole
        LoggedRequest(2, 1.0, 2.0, 3.0, 200, "", b"", 3),  # was answered before
        LoggedRequest(3, 6.0, 7.0, 9.0, 200, "", b"", 4),  # was accepted although it came after
        LoggedRequest(4, 6.0, 7.0, 9.0, 503, "", b"", 5),
    ]
    missed = [finding for finding in findings([Termination(events, 5.0, 0, 4.0)]) if not finding.holds]
    assert [finding.seen for finding in missed] == ["1 (0)", "1 (3)"]
    assert not findings([Termination(events[2:3], 5.0, 1, 99.0)])[-1].holds
    assert not findings([Termination(events[2:3], 5.0, 1, 99.0)])[-2].holds
