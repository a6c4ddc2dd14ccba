from pathlib import Path

import pytest

from benchmarks.reliability.resident import Sample
from benchmarks.reliability.saturation import findings, median_of_tenth, saturate
from benchmarks.traffic import Exchange, Observation


@pytest.mark.slow
def test_mixed_requests_are_answered_as_they_should(tmp_path: Path) -> None:
    observation, samples = saturate(tmp_path, seconds=2, large_size=(1056, 1056))
    *rows, _ = findings(observation, samples)  # so short a run says nothing about growth
    assert [finding for finding in rows if not finding.holds] == []
    assert observation.accepted()


def test_growth_is_told_from_the_second_tenth_to_the_last() -> None:
    samples = [Sample(float(second), 1000 if second < 10 else 2000 + second) for second in range(101)]
    assert median_of_tenth(samples, 0) == 1000
    assert median_of_tenth(samples, 9) == 2095
    observation = Observation((Exchange("damaged, half", 400, 0, 1, 1),), 100, 1, 100)
    assert findings(observation, samples)[-1].seen == "4.0%"
    assert findings(observation, samples)[-1].holds
    grown = [*samples[:-10], *(Sample(90 + number, 3000) for number in range(10))]
    assert not findings(observation, grown)[-1].holds


def test_answers_that_are_wrong_are_found() -> None:
    samples = [Sample(float(second), 1000) for second in range(101)]
    exchanges = (Exchange("large", 429, 0, 1, 1), Exchange("damaged, half", 500, 0, 1, 1))
    found = findings(Observation(exchanges, 100, 1, 100), samples)
    assert [finding.seen for finding in found if not finding.holds] == ["1 (large: 429 after 0 s)", "1 (500)"]
