from pathlib import Path

import pytest

from benchmarks.reliability.crowd import Manner
from benchmarks.reliability.neighbours import Plan, findings, measure
from benchmarks.reliability.traffic import Exchange


@pytest.mark.slow
def test_an_ordinary_client_is_answered_whoever_else_is_there(tmp_path: Path) -> None:
    clients = {Manner.SLOW: 50, Manner.IDLE: 200, Manner.VANISHING: 10, Manner.READING: 5, Manner.UNREAD: 2}
    exchanges = measure(Plan(clients, seconds=1, rounds=1), tmp_path)
    assert all(exchanges.values())
    assert {exchange.status for each in exchanges.values() for exchange in each} == {200}


def test_a_client_that_notices_too_much_is_found() -> None:
    def of(*latencies_ms: float) -> list[Exchange]:
        return [Exchange("photograph", 200, 0.0, latency_ms, latency_ms) for latency_ms in latencies_ms]

    seen = {"alone": of(100, 100), Manner.SLOW: of(100, 151), Manner.IDLE: of(100, 149), Manner.STAYING: of(199)}
    plan = Plan({Manner.SLOW: 1, Manner.IDLE: 1, Manner.STAYING: 1}, seconds=1, rounds=1)
    found = findings(plan, seen)
    assert [finding.seen for finding in found if not finding.holds] == ["1.51"]
