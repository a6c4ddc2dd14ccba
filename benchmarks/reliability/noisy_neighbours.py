"""Latency of an ordinary client beside misbehaving ones.

    python -m benchmarks.reliability.noisy_neighbours [--seconds 60] [--rounds 2]

One client sends a photograph repeatedly: alone, beside 200 clients that upload a byte per second, beside 1,000 silent
connections, and while 100 clients connect and disconnect in the middle of their upload or while they wait. The report
also has the cost of 100 clients that stay, or leave when their response begins; they have no bound, since the service
owes them the work. Each round measures everything once, so that a machine that changes speed favours nobody.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.findings import Finding, at_most, none_of
from benchmarks.measurement import percentile
from benchmarks.reliability.bodies import PHOTOGRAPH, write_photograph
from benchmarks.reliability.check import conclude, parser
from benchmarks.reliability.misbehaving_clients import ONCE, Behaviour, Group, MisbehavingClients
from benchmarks.service import OURS, started
from benchmarks.traffic import Exchange, Kind, Traffic, observe

MOST = 1.5

_JSON = "/segment?format=json&mask=rows"


@dataclass(frozen=True, slots=True)
class Plan:
    """Clients and duration of the measurements.

    Attributes:
        clients: behaviour -> number of clients.
        seconds: seconds per measurement.
        rounds: number of times everything is measured.
    """

    clients: Mapping[Behaviour, int]
    seconds: float
    rounds: int


def measure(plan: Plan, folder: Path) -> dict[str, list[Exchange]]:
    """Measure the ordinary client's requests alone and beside each behaviour."""
    body = write_photograph(folder, PHOTOGRAPH)
    exchanges: dict[str, list[Exchange]] = {name: [] for name in ("alone", *plan.clients)}
    with started(OURS, sys.executable, Path(body).read_bytes()) as service:
        ordinary = Traffic(service.port, (Kind("photograph", OURS.path, body),), plan.seconds, clients=1)
        for _ in range(plan.rounds):
            exchanges["alone"] += observe(ordinary).exchanges
            for behaviour, clients in plan.clients.items():
                stay_s = plan.seconds if behaviour in ONCE else 2 * plan.seconds
                group = Group(service.port, behaviour, clients, stay_s, _JSON, body)
                with MisbehavingClients(group) as others:
                    others.wait_until_ready()
                    exchanges[behaviour] += observe(ordinary).exchanges
    return exchanges


def findings(plan: Plan, exchanges: Mapping[str, list[Exchange]]) -> list[Finding]:
    """Compare the ordinary client's latencies beside each behaviour with those alone."""
    p50, p95 = ({name: _percentile(each, percent) for name, each in exchanges.items()} for percent in (50, 95))
    rows = [Finding("alone", f"p50 {p50['alone']:.0f} ms, p95 {p95['alone']:.0f} ms of {len(exchanges['alone'])}")]
    for behaviour, clients in plan.clients.items():
        name = f"beside {clients} that are {behaviour}"
        failed = [exchange.status for exchange in exchanges[behaviour] if exchange.status != 200]
        told = f"p50 {p50[behaviour]:.0f} ms, p95 {p95[behaviour]:.0f} ms of {len(exchanges[behaviour])}"
        rows += [
            Finding(name, told),
            _ratio(f"{name}: p95 / p95 alone", p95[behaviour] / p95["alone"], behaviour),
            none_of(f"{name}: requests that failed", len(failed), failed),
        ]
    return rows


def _ratio(what: str, ratio: float, behaviour: Behaviour) -> Finding:
    """Clients whose masks are computed may take their share of the machine, so their ratio has no bound."""
    is_due = behaviour in (Behaviour.READING, Behaviour.STAYING)
    return Finding(what, f"{ratio:.2f}") if is_due else at_most(what, ratio, MOST, "{:.2f}")


def _percentile(exchanges: list[Exchange], percent: float) -> float:
    return percentile([exchange.whole_ms for exchange in exchanges if exchange.status == 200], percent)


def main() -> int:
    arguments = parser("noisy_neighbours", __doc__)
    arguments.add_argument("--seconds", type=float, default=60, help="seconds per measurement (60)")
    arguments.add_argument("--rounds", type=int, default=2, help="number of times everything is measured (2)")
    options = arguments.parse_args()
    clients = {
        Behaviour.SLOW: 200,
        Behaviour.IDLE: 1000,
        Behaviour.VANISHING: 100,
        Behaviour.READING: 100,
        Behaviour.STAYING: 100,
    }
    plan = Plan(clients, options.seconds, options.rounds)
    with TemporaryDirectory() as folder:
        return conclude(findings(plan, measure(plan, Path(folder))))


if __name__ == "__main__":
    sys.exit(main())
