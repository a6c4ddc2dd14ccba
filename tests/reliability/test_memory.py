from pathlib import Path

import pytest

from benchmarks.reliability.memory import SETTINGS, findings, kinds


@pytest.mark.slow
def test_memory_stays_below_its_bound_whatever_is_asked_for(tmp_path: Path) -> None:
    chosen = kinds(tmp_path, shrink=0.3)
    found = findings("small", SETTINGS["small"], chosen, seconds=3)
    assert [finding for finding in found if not finding.holds] == []
