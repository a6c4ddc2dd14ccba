"""Throughput per core: photographs per second, and the CPU time and memory that each costs.

    python -m benchmarks.scaling [--seconds 15] [--precisions float32 int8] [--cores 2]

The service runs as one process on one core, as one process on all cores, and as one worker per core. Clients that wait
for their responses (a closed loop) send first photographs, then images of 32 x 32. Predicting the latter takes almost
no time, so they show the cost of a request itself, whatever computes the mask (a GPU, for example).

CPU time stands beside the rates because other programs on the machine disturb it less.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from PIL import Image

from benchmarks.machine import describe_machine
from benchmarks.measurement import Measurement
from benchmarks.photograph import photograph
from benchmarks.process_tree import command_line, descendants, processor_seconds
from benchmarks.service import OURS, RunningService, Service, started
from benchmarks.traffic import Kind, Traffic
from benchmarks.traffic import measure as generate
from model.precision import Precision

CLIENTS_A_CORE = 4
SMALL = 32
WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Distribution of the service over cores.

    Attributes:
        cores: number of cores the service may use, counted from the first.
        workers: serving processes; the cores are divided among them.
        precision: precision of the network.
    """

    cores: int
    workers: int
    precision: Precision

    @property
    def name(self) -> str:
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        processes = "1 process" if self.workers == 1 else f"{self.workers} processes"
        return f"{processes}, {cores}, {self.precision}"

    def service(self) -> Service:
        """The service, bound to its cores by taskset."""
        return replace(
            OURS.with_environment(
                FCN_THREADS=str(self.cores), FCN_WORKERS=str(self.workers), FCN_PRECISION=self.precision
            ),
            name=self.name,
            arguments=("--cpu-list", f"0-{self.cores - 1}", sys.executable, *OURS.arguments),
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one kind of request in a layout.

    Attributes:
        measurement: responses to the load.
        service_ms: CPU milliseconds per request, of the serving processes.
        decoder_ms: CPU milliseconds per request, of the decoder processes.
        resident_mb: resident memory of all processes after the load, in MB.
    """

    measurement: Measurement
    service_ms: float
    decoder_ms: float
    resident_mb: float

    @property
    def row(self) -> str:
        seen = self.measurement
        total_ms = self.service_ms + self.decoder_ms
        return (
            f"{seen.throughput:.1f} | {seen.percentile(50):.0f} | {seen.percentile(95):.0f} | {self.service_ms:.2f} | "
            f"{self.decoder_ms:.2f} | {1000 / total_ms:.1f} | {self.resident_mb:.0f} | {seen.failures}"
        )


def layouts(cores: int, precision: Precision) -> list[Layout]:
    """One process on one core, one process on all cores, and one worker per core."""
    one = Layout(1, 1, precision)
    return [one] if cores == 1 else [one, Layout(cores, 1, precision), Layout(cores, cores, precision)]


def small_image() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (SMALL, SMALL), (90, 120, 60)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def cost(one: RunningService, load: Traffic) -> Cost:
    """Warm a service up with a load, then measure it under the same load."""
    generate(replace(load, seconds=WARM_UP_S))
    service_s, decoder_s = _spent(one)
    measured = generate(load)
    service_after_s, decoder_after_s = _spent(one)
    requests = len(measured.latencies_ms) + measured.failures
    return Cost(
        measured,
        1000 * (service_after_s - service_s) / requests,
        1000 * (decoder_after_s - decoder_s) / requests,
        _resident_bytes(one.port) / 1e6,
    )


def _spent(one: RunningService) -> tuple[float, float]:
    """CPU seconds so far, of the serving processes and of the decoder processes."""
    decoders = [process for process in descendants(one.process.pid) if "app.images.worker" in command_line(process)]
    decoder_s = sum(processor_seconds(process) for process in decoders)
    return processor_seconds(one.process.pid) - decoder_s, decoder_s


def _resident_bytes(port: int) -> float:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("fcn_resident_bytes "))


def rendered_costs(costs: Sequence[tuple[Layout, Cost]]) -> str:
    """Render costs as a Markdown table."""
    head = (
        "| service | requests/s | p50, ms | p95, ms | processor ms a request: serving | decoding | "
        "requests a second of processor | resident MB | failures |"
    )
    lines = [head, "| --- |" + " --- |" * 8]
    lines += [f"| {layout.name} | {found.row} |" for layout, found in costs]
    return "\n".join(lines)


def measure(layout: Layout, files: dict[str, Path], seconds: float) -> dict[str, Cost]:
    """Start a layout and measure the cost of each file, by name."""
    service = layout.service()
    with started(service, "taskset", files["photograph"].read_bytes()) as one:
        clients = CLIENTS_A_CORE * layout.cores
        return {
            name: cost(one, Traffic(one.port, (Kind(name, service.path, str(file)),), seconds, clients))
            for name, file in files.items()
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15, help="seconds per load (%(default)s)")
    parser.add_argument(
        "--cores", type=int, default=len(os.sched_getaffinity(0)), help="most cores to use (%(default)s)"
    )
    parser.add_argument(
        "--precisions", type=Precision, nargs="+", choices=list(Precision), default=[Precision.FLOAT32, Precision.INT8]
    )
    arguments = parser.parse_args()
    found: dict[Layout, dict[str, Cost]] = {}
    with TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.jpg" for name in ("photograph", "small")}
        files["photograph"].write_bytes(photograph("cat"))
        files["small"].write_bytes(small_image())
        for precision in arguments.precisions:
            for layout in layouts(arguments.cores, precision):
                print(layout.name, file=sys.stderr, flush=True)
                found[layout] = measure(layout, files, arguments.seconds)
    print(", ".join(f"{name}: {value}" for name, value in describe_machine().items()))
    for name, what in (("photograph", "Photographs of 500 x 375"), ("small", f"Images of {SMALL} x {SMALL}")):
        print(f"\n{what}, {CLIENTS_A_CORE} clients a core:\n")
        print(rendered_costs([(layout, costs[name]) for layout, costs in found.items()]))


if __name__ == "__main__":
    main()
