from pathlib import Path

import pytest

from benchmarks.reliability.reload import findings, reload, two_weights
from tests.reliability.missed import missed


@pytest.mark.slow
def test_new_weights_come_without_a_gap(tmp_path: Path) -> None:
    known = {weights.digest for weights in two_weights(tmp_path)}
    assert len(known) == 2
    seen = reload(tmp_path, repeats=1)
    assert {event.digest for event in seen.events} == known
    assert missed(findings(seen, known)) == []
