import math

import pytest

from benchmarks.findings import Finding, at_least, at_most, none_of, table
from benchmarks.reliability.check import conclude


def test_bounds_hold_where_they_are_kept() -> None:
    assert at_most("time", 1.0, 1.0, "{:.1f} s") == Finding("time", "1.0 s", "at most 1.0 s")
    assert not at_most("time", 1.1, 1.0, "{:.1f} s").holds
    assert at_least("share", 0.9, 0.9, "{:.0%}") == Finding("share", "90%", "at least 90%")
    assert not at_least("share", 0.8, 0.9, "{:.0%}").holds


def test_what_was_not_measured_keeps_no_bound() -> None:
    assert not at_most("time", math.nan, 1.0, "{:.1f} s").holds
    assert not at_least("share", math.nan, 0.9, "{:.0%}").holds


def test_what_must_not_be_is_told_with_examples() -> None:
    assert none_of("lost", 0) == Finding("lost", "0", "0")
    assert none_of("lost", 4, [500, 502, 500, 0]) == Finding("lost", "4 (500, 502, 500)", "0", holds=False)


def test_a_bound_that_is_missed_stands_out_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    kept, missed = Finding("size", "3 MB"), Finding("time", "2 s", "at most 1 s", holds=False)
    assert table([kept, missed]).splitlines()[2:] == ["| size | 3 MB |  |", "| time | **2 s: missed** | at most 1 s |"]
    assert conclude([kept]) == 0
    assert conclude([kept, missed]) == 1
    assert "| size | 3 MB |  |" in capsys.readouterr().out
