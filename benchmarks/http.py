"""Our service and its peers over HTTP on this machine, and the bare network; ``README.md`` explains the tables.

python -m benchmarks.http naive
python -m benchmarks.http ours-default naive litserve bentoml ray-serve --peer-python .venv-peers/bin/python
python -m benchmarks.http naive --check
python -m benchmarks.http --self-test
"""

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.findings import table
from benchmarks.machine import describe_machine, versions
from benchmarks.measurement import Measurement
from benchmarks.photograph import NAMES, equal_share, photograph, read_mask
from benchmarks.result import Result, Round, as_markdown, goals, medians, ratios
from benchmarks.service import OURS, PEERS, VARIANTS, Service, ServiceError, running, segment
from benchmarks.traffic import Kind, Traffic
from benchmarks.traffic import measure as generate
from model.checkpoint import Checkpoint
from model.segmenter import DEFAULT_WEIGHTS

_ROOT = Path(__file__).parents[1]
_TIME_LIMIT_S = 300.0
_KNOWN = ", ".join(VARIANTS | PEERS)

FIXED = Service("fixed answers", "/", ("-m", "benchmarks.fixed_server", "{port}"))
"""Server that measures the load generator itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Duration and load of each service's measurement.

    Attributes:
        seconds: seconds per phase.
        requests: most requests of the sequential phase.
        clients: clients of the closed loop.
        shares: rates of the open loops, as shares of the closed loop's throughput.
        body: file to post.
    """

    seconds: float
    requests: int
    clients: int
    shares: tuple[float, ...]
    body: Path


class Masks:
    """Our service's masks of all photographs, to compare with those of other services."""

    def __init__(self) -> None:
        self._labels = Checkpoint.load(DEFAULT_WEIGHTS).labels
        self._photographs = [photograph(name) for name in NAMES]
        with running(OURS, sys.executable, self._photographs[0]) as port:
            self._ours = [read_mask(segment(OURS, port, data), self._labels) for data in self._photographs]

    def equal_share(self, service: Service, port: int) -> float:
        """Smallest share of equal pixels over the photographs."""
        answers = [segment(service, port, data) for data in self._photographs]
        theirs = [read_mask(png, self._labels) for png in answers]
        return min(equal_share(mask, other) for mask, other in zip(self._ours, theirs, strict=True))


def check(
    masks: Masks, services: Sequence[Service], python: str, image: bytes
) -> tuple[dict[str, float], dict[str, str]]:
    """Return the share of equal pixels of each service, and for services that must not be timed the reason."""
    equal, refused = {}, {}
    for service in services:
        try:
            with running(service, _python(service, python), image) as port:
                equal[service.name] = masks.equal_share(service, port)
        except ServiceError as error:
            refused[service.name] = f"it does not run: {error}"
        else:
            if equal[service.name] < service.least_equal:
                refused[service.name] = f"only {equal[service.name]:.3%} of its pixels equal ours"
        told = refused.get(service.name) or f"{equal[service.name]:.3%} of its pixels equal ours"
        print(f"{service.name}: {told}", file=sys.stderr, flush=True)
    return equal, refused


def measure(service: Service, python: str, plan: Plan) -> Round:
    """Start a service, warm it up, and measure it under each kind of load."""
    with running(service, python, plan.body.read_bytes()) as port:
        base = Traffic(port, (Kind(service.name, service.path, str(plan.body)),), plan.seconds, clients=1)
        generate(replace(base, clients=plan.clients, max_requests=5 * plan.clients))  # warms up
        sequential = generate(replace(base, max_requests=plan.requests))
        closed = generate(replace(base, clients=plan.clients))
        opened = {share: generate(replace(base, rate=max(share * closed.throughput, 0.1))) for share in plan.shares}
    return Round(sequential, closed, opened)


def measure_in_process(kind: str, plan: Plan) -> Measurement:
    """Measure the bare network, ``fastest`` or ``naive``, in a process of its own with a timeout; no server may run."""
    command = [sys.executable, "-m", "benchmarks.in_process", kind, str(plan.body), str(plan.seconds)]
    timeout_s = plan.seconds + _TIME_LIMIT_S
    done = subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=timeout_s)
    fields = json.loads(done.stdout)
    return Measurement(**fields | {"latencies_ms": tuple(fields["latencies_ms"])})


def run(services: Sequence[Service], python: str, rounds: int, plan: Plan) -> Result:
    """Run all rounds; each measures everything once, so that a machine that changes speed favours nobody."""
    equal, refused = check(Masks(), services, python, plan.body.read_bytes())
    timed = [service for service in services if service.name not in refused]
    machine = describe_machine() | {OURS.name: versions(sys.executable, OURS.packages)}
    machine |= {service.name: versions(_python(service, python), service.packages) for service in timed}
    result = Result(machine, [], [], {service.name: [] for service in (OURS, *timed)}, equal, refused)
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
        result.in_process.append(measure_in_process("fastest", plan))
        result.naive_in_process.append(measure_in_process("naive", plan))
        for service in (OURS, *timed):
            one = measure(service, _python(service, python), plan)
            result.services[service.name].append(one)
            told = f"p50 {one.sequential.percentile(50):.1f} ms, {one.closed.throughput:.1f}/s"
            print(f"  {service.name}: {told}", file=sys.stderr, flush=True)
    return result


def self_test(plan: Plan) -> str:
    """Measure the load generator against a server that does nothing."""
    with running(FIXED, sys.executable, plan.body.read_bytes()) as port:
        base = Traffic(port, (Kind(FIXED.name, FIXED.path, str(plan.body)),), plan.seconds, clients=1)
        one = generate(base)
        closed = generate(replace(base, clients=plan.clients))
        opened = generate(replace(base, rate=closed.throughput / 4))
    return (
        f"1 client: {one.throughput:.0f} requests/s, p50 {one.percentile(50):.2f} ms, p99 {one.percentile(99):.2f} ms\n"
        f"{plan.clients} clients: {closed.throughput:.0f} requests/s, p99 {closed.percentile(99):.2f} ms\n"
        f"open loop at {closed.throughput / 4:.0f}/s: {opened.throughput:.0f} requests/s, p99 "
        f"{opened.percentile(99):.2f} ms, at most {opened.sent_late_ms:.2f} ms late\n"
        f"failures: {one.failures + closed.failures + opened.failures}"
    )


def _python(service: Service, peers_python: str) -> str:
    return sys.executable if service.is_ours else peers_python


def _peer(name: str) -> Service:
    known = VARIANTS | PEERS
    if name not in known:
        raise argparse.ArgumentTypeError(f"there is no peer {name}; there are {_KNOWN}")
    return known[name]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http", description=__doc__.splitlines()[0])
    parser.add_argument(
        "peers",
        nargs="*",
        type=_peer,
        metavar="PEER",
        help=f"services to compare with (ours-... is our own with another setting): {_KNOWN}",
    )
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter that has the peers (this one)")
    parser.add_argument("--rounds", type=int, default=3, help="number of times everything is measured (3)")
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds per phase of load (10)")
    parser.add_argument("--requests", type=int, default=100, help="most requests of the sequential phase (100)")
    parser.add_argument("--clients", type=int, default=8, help="clients of the closed loop (8)")
    parser.add_argument(
        "--rates",
        type=float,
        nargs="*",
        default=[0.5, 0.8],
        help="rates of the open loops, over the throughput (0.5 0.8)",
    )
    parser.add_argument("--photograph", choices=NAMES, default=NAMES[0], help=f"photograph to send ({NAMES[0]})")
    parser.add_argument("--json", type=Path, help="file for all numbers of each round")
    parser.add_argument("--check", action="store_true", help="only compare the peers' masks with ours")
    parser.add_argument("--self-test", action="store_true", help="only measure the load generator itself")
    return parser.parse_args()


def main() -> int:
    # SystemExit unwinds the context managers, which stop the services.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = _arguments()
    services: list[Service] = arguments.peers
    with TemporaryDirectory() as folder:
        body = Path(folder) / "photograph.jpg"
        body.write_bytes(photograph(arguments.photograph))
        plan = Plan(arguments.seconds, arguments.requests, arguments.clients, tuple(arguments.rates), body)
        if arguments.self_test:
            print(self_test(plan))
            return 0
        if arguments.check:
            _, refused = check(Masks(), services, arguments.peer_python, body.read_bytes())
            return 1 if refused else 0
        result = run(services, arguments.peer_python, arguments.rounds, plan)
    print(f"{as_markdown(result)}\n{table(goals(result))}")
    if arguments.json is not None:
        document = {**asdict(result), "medians": medians(result), "ratios": ratios(result)}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    return 1 if result.refused else 0


if __name__ == "__main__":
    sys.exit(main())
