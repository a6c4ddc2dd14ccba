from pathlib import Path

import pytest

from benchmarks.reliability.misbehaving_clients import Behaviour
from benchmarks.reliability.noisy_neighbours import Plan, findings, measure
from benchmarks.traffic import Exchange


@pytest.mark.slow
def test_an_ordinary_client_is_answered_whoever_else_is_there(tmp_path: Path) -> None:
    clients = {
        Behaviour.SLOW: 50,
        Behaviour.IDLE: 200,
        Behaviour.VANISHING: 10,
        Behaviour.READING: 5,
        Behaviour.UNREAD: 2,
    }
    exchanges = measure(Plan(clients, seconds=1, rounds=1), tmp_path)
    assert all(exchanges.values())
    assert {exchange.status for each in exchanges.values() for exchange in each} == {200}


def test_a_client_that_notices_too_much_is_found() -> None:
    def of(*latencies_ms: float) -> list[Exchange]:
        return [Exchange("photograph", 200, 0.0, latency_ms, latency_ms) for latency_ms in latencies_ms]

    seen = {
        "alone": of(100, 100),
        Behaviour.SLOW: of(100, 151),
        Behaviour.IDLE: of(100, 149),
        Behaviour.STAYING: of(199),
    }
    plan = Plan({Behaviour.SLOW: 1, Behaviour.IDLE: 1, Behaviour.STAYING: 1}, seconds=1, rounds=1)
    found = findings(plan, seen)
    assert [finding.seen for finding in found if not finding.holds] == ["1.51"]
