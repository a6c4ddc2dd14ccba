import math

import pytest

from benchmarks.measurement import Measurement
from benchmarks.result import DEFAULT, Result, Round, as_markdown, goals, medians, ratios


def phase(*latencies_ms: float, failures: int = 0) -> Measurement:
    return Measurement(latencies_ms, elapsed_s=2.0, failures=failures)


def one_round(sequential: float, answers: int, failures: int = 0) -> Round:
    return Round(phase(sequential), phase(*[20.0] * answers, failures=failures), {0.5: phase(30.0)})


@pytest.fixture
def result() -> Result:
    return Result(
        machine={"CPU": "abacus"},
        in_process=[phase(5.0, 5.0), phase(4.0, 4.0), phase(90.0, 90.0)],
        naive_in_process=[phase(44.0)],
        services={
            "ours-float32": [one_round(10.0, 8), one_round(11.0, 10), one_round(300.0, 2)],
            "naive": [one_round(22.0, 4), one_round(22.0, 4, failures=3), one_round(22.0, 4)],
        },
        equal={"naive": 0.9995, "broken": 0.2},
        refused={"broken": "only 20.000% of its pixels equal ours"},
    )


def test_medians_are_over_the_rounds(result: Result) -> None:
    ours = medians(result)["ours-float32"]
    assert ours["sequential p50"] == 11.0
    assert ours["closed throughput"] == 4.0
    assert ours["closed p99"] == 20.0
    assert ours["open 50% p95"] == 30.0
    assert medians(result)["naive"]["failures"] == 3


def test_ratios_compare_ours_with_the_others(result: Result) -> None:
    assert ratios(result) == {
        "our p50 / in-process p50": 11 / 5,
        "our throughput / in-process throughput": 4 / 1,
        "ours-float32 / naive: throughput": 4 / 2,
    }


def test_goals_are_those_of_the_default_settings(result: Result) -> None:
    assert [(goal.seen, goal.holds) for goal in goals(result)] == [("0.25", True), ("2.00", False)]
    result.services[DEFAULT] = [one_round(33.0, 12)]
    assert [(goal.seen, goal.holds) for goal in goals(result)] == [("0.75", False), ("3.00", True)]


def test_a_peer_without_a_good_answer_has_no_ratio(result: Result) -> None:
    result.services["naive"][:] = [Round(phase(), phase(), {0.5: phase()})]
    assert math.isnan(ratios(result)["ours-float32 / naive: throughput"])


def test_the_tables_name_machine_services_and_refusals(result: Result) -> None:
    text = as_markdown(result)
    assert "| CPU | abacus |" in text
    assert "| ours-float32 | 11 |" in text
    assert "99.950% |" in text
    assert "| ours-float32 / naive: throughput | 2.00 |" in text
    assert "Not timed: broken: only 20.000%" in text
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 3
    for table in tables:
        assert len({line.count("|") for line in table}) == 1
