from pathlib import Path

import pytest

from benchmarks.reliability.keys import KNOWN, UNKNOWN, check_times, findings, request_times, slower_share, write_keys


@pytest.mark.slow
def test_keys_open_what_they_should_and_no_more(tmp_path: Path) -> None:
    tried = write_keys(tmp_path / "keys")
    times, wrong = request_times(tmp_path / "keys", tried, samples=5)
    assert wrong == []
    assert {name: len(each) for name, each in times.items()} == dict.fromkeys([*KNOWN, *UNKNOWN], 5)


def test_a_check_takes_time(tmp_path: Path) -> None:
    tried = write_keys(tmp_path / "keys")
    assert all(min(each) > 0 for each in check_times(tmp_path / "keys", tried, samples=10).values())


def test_samples_that_are_slower_every_other_time_say_nothing() -> None:
    assert slower_share([1, 2, 3], [1, 2, 3]) == 0.5
    assert slower_share([2, 2], [1, 2]) == 0.75
    assert slower_share([1, 2], [3, 4]) == 0.0


def test_keys_that_can_be_told_apart_are_found() -> None:
    samples = {"first": [1.0, 2.0], "same": [1.0, 2.0], "slower": [2.0, 3.0]}
    assert [finding.holds for finding in findings("check", samples, [list(samples)])] == [True, True, False]
