"""What Ray Serve costs: the plain service against the same service as a Ray Serve application of one replica.

    python -m benchmarks.ray [--seconds 10] [--rounds 3]

Both have one thread for the network, and are asked for photographs, and for images of 32 x 32, for which the network
does next to nothing: what is left is what a request costs otherwise. The medians of the rounds are told. Processors'
time is told beside the rest, for it suffers less from what else runs on the machine.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.http import generate
from benchmarks.load import Load
from benchmarks.machine import describe_machine, versions
from benchmarks.photograph import photograph
from benchmarks.reliability.process_tree import processor_seconds
from benchmarks.scaling import SMALL, small_image
from benchmarks.service import OURS, Service, started

CLIENTS = 4
WARM_UP_S = 2.0

PLAIN = replace(OURS.with_environment(FCN_THREADS="1"), name="plain")
RAY = Service(
    "Ray Serve",
    "/segment",
    ("-m", "benchmarks.ray", "--serve", "{port}"),
    {
        "FCN_THREADS": "1",
        "FCN_DEVICE": "cpu",
        "RAY_AUTH_MODE": "disabled",
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
        "RAY_USAGE_STATS_ENABLED": "0",
    },
    ("torch", "ray"),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one kind of request.

    Attributes:
        p50_ms: of one client's requests, one after the other.
        throughput: answers a second to clients that wait for theirs.
        processor_ms: of all of the service's processes, for each of those answers.
    """

    p50_ms: float
    throughput: float
    processor_ms: float


def measure(service: Service, bodies: Sequence[Path], seconds: float) -> list[Cost]:
    """Start a service, and ask it for each image."""
    with started(service, sys.executable, bodies[0].read_bytes()) as one:

        def ask(body: Path, clients: int, duration_s: float) -> tuple[float, float, float]:
            before = processor_seconds(one.process.pid)
            measured = generate(Load(one.port, service.path, str(body), duration_s, clients))
            assert measured.failures == 0, f"{measured.failures} requests to {service.name} failed"
            took_s = processor_seconds(one.process.pid) - before
            return measured.percentile(50), measured.throughput, 1000 * took_s / len(measured.latencies_ms)

        costs = []
        for body in bodies:
            ask(body, CLIENTS, WARM_UP_S)
            p50_ms, _, _ = ask(body, 1, seconds)
            _, throughput, processor_ms = ask(body, CLIENTS, seconds)
            costs.append(Cost(p50_ms, throughput, processor_ms))
        return costs


def median(costs: Sequence[Cost]) -> Cost:
    """Of each figure."""
    return Cost(
        statistics.median(cost.p50_ms for cost in costs),
        statistics.median(cost.throughput for cost in costs),
        statistics.median(cost.processor_ms for cost in costs),
    )


def table(plain: Cost, ray: Cost) -> str:
    """In Markdown, with how many times as much Ray Serve's is."""
    rows = [
        ("median, one client, ms", plain.p50_ms, ray.p50_ms),
        (f"requests a second, {CLIENTS} clients", plain.throughput, ray.throughput),
        ("processor ms a request", plain.processor_ms, ray.processor_ms),
    ]
    lines = ["| | plain | Ray Serve | times |", "| --- | --- | --- | --- |"]
    lines += [f"| {what} | {ours:.1f} | {theirs:.1f} | {theirs / ours:.2f} |" for what, ours, theirs in rows]
    return "\n".join(lines)


def serve_by_ray(port: int) -> None:
    """Run the application on a cluster of its own."""
    # The program that measures does without.
    import ray  # noqa: PLC0415
    from ray import serve  # noqa: PLC0415

    from deploy.ray.application import Arguments, build  # noqa: PLC0415

    # No dashboard, whose processes would take part in what is measured.
    ray.init("local", include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(build(Arguments(log_level="warning")), blocking=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of each load (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="in each of which both are measured (%(default)s)")
    parser.add_argument("--serve", type=int, metavar="PORT", help="only run the application, on this port")
    arguments = parser.parse_args()
    if arguments.serve:
        serve_by_ray(arguments.serve)
        return
    found: dict[str, list[list[Cost]]] = {PLAIN.name: [], RAY.name: []}
    with TemporaryDirectory() as folder:
        bodies = [Path(folder) / "photograph.jpg", Path(folder) / "small.jpg"]
        bodies[0].write_bytes(photograph("cat"))
        bodies[1].write_bytes(small_image())
        for number in range(arguments.rounds):
            for service in (PLAIN, RAY):
                print(f"round {number + 1}: {service.name}", file=sys.stderr, flush=True)
                found[service.name].append(measure(service, bodies, arguments.seconds))
    machine = describe_machine() | {"versions": versions(sys.executable, RAY.packages)}
    print(", ".join(f"{name}: {value}" for name, value in machine.items()))
    for kind, name in enumerate(("Photographs of 500 x 375", f"Images of {SMALL} x {SMALL}")):
        plain, ray = (median([costs[kind] for costs in found[service.name]]) for service in (PLAIN, RAY))
        print(f"\n{name}:\n\n{table(plain, ray)}")


if __name__ == "__main__":
    main()
