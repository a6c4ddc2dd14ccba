from pathlib import Path

import pytest

from benchmarks.reliability.bodies import PHOTOGRAPH, write_photograph
from benchmarks.reliability.overload import findings, overload
from benchmarks.traffic import Kind

_ALLOWED = 10.0
"""Factor on a photograph's usual latency that counts as recovered: other programs may run beside the tests."""


@pytest.mark.slow
def test_too_many_requests_are_refused_at_once_and_the_others_answered_in_time(tmp_path: Path) -> None:
    kind = Kind("photograph", "/segment", write_photograph(tmp_path, PHOTOGRAPH))
    seen = overload([kind], seconds=2, allowed=_ALLOWED)
    assert seen.observation.refused()
    assert seen.observation.accepted()
    assert [finding for finding in findings("photographs", seen, _ALLOWED) if not finding.holds] == []
    assert 0 < seen.fair_capacity <= seen.capacity.throughput
