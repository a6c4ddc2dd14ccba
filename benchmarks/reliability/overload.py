"""Ten times as many requests as the service can answer: what it accepts, what it refuses, and what both cost.

    python -m benchmarks.reliability.overload [--seconds 60]

The capacity is what eight clients get that wait for their answers. Ten times as many requests then arrive at random,
whether or not earlier ones are answered, on fresh connections and kept-alive ones; once photographs alone, and once
with an image of 12 megapixels among every twenty. The generator of the load has a process of its own, but shares the
processors with the service: what it takes of them more than it did for the capacity is taken off the capacity that the
throughput is compared with. Beside it some clients wait for as long as ``Retry-After`` says.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.connection import post
from benchmarks.findings import Finding, at_least, at_most, none_of
from benchmarks.measurement import percentile
from benchmarks.reliability.bodies import PHOTOGRAPH, TWELVE_MEGAPIXELS, write_photograph
from benchmarks.reliability.check import conclude, parser
from benchmarks.reliability.patience import Asked, accepted_share, ask_at_once, ask_in_turn, refused
from benchmarks.reliability.process_tree import processor_seconds
from benchmarks.reliability.resident import MemoryWatch, promised_bytes
from benchmarks.service import OURS, RunningService, ServiceError, segment, started
from benchmarks.traffic import Exchange, Generator, Kind, Observation, Traffic, observe

TIMES = 10
CLIENTS = 8
PATIENT_CLIENTS = 5
DEADLINE_S = 10.0
PLACES = 34
"""Requests in work and waiting, of the service's settings: 2 and 32."""

RECOVERY_S = 5.0
USUAL = 1.5
"""A request takes its usual time again when it takes no longer than so many times of it ..."""

USUAL_BESIDE_LARGE = 2.5
"""... and so many while large images that were accepted are in work still."""

_PATIENCE_S = 60.0
_WATCH_S = 0.5
_FRESH = 0.3
_LARGE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Overload:
    """What one variant gave.

    Attributes:
        capacity: what eight clients got.
        capacity_s: seconds of processors' time that the service took for it.
        usual_ms: time of a photograph that is alone.
        observation: what became of the overload.
        observation_s: seconds of processors' time that the service took for it.
        own_s: seconds of processors' time that this process took, for the clients below and to look at the memory.
        asked: clients who waited as they were told to meanwhile.
        recovered_s: seconds from the last arrival until a photograph took its usual time again.
        peak_bytes: most resident memory.
        promised_bytes: the most that the service said it would take.
    """

    capacity: Observation
    capacity_s: float
    usual_ms: float
    observation: Observation
    observation_s: float
    own_s: float
    asked: list[Asked]
    recovered_s: float
    peak_bytes: int
    promised_bytes: int

    @property
    def accepted(self) -> int:
        """Requests, of those who waited as they were told to, too."""
        patient = sum((one.first_status == 200) + (one.second_status == 200) for one in self.asked)
        return len(self.observation.accepted()) + patient

    @property
    def throughput(self) -> float:
        """Accepted requests a second."""
        return self.accepted / self.observation.elapsed_s

    @property
    def processors(self) -> float:
        """Processors that the load took from the service, on average."""
        return self.observation.processors + self.own_s / self.observation.elapsed_s

    @property
    def fair_capacity(self) -> float:
        """Requests a second, of the processors that the load left over."""
        cores = len(os.sched_getaffinity(0))
        return self.capacity.throughput * (cores - self.processors) / (cores - self.capacity.processors)

    @property
    def recovery_bound_s(self) -> float:
        """What was accepted is answered first, and on a slow machine takes longer."""
        return max(RECOVERY_S, PLACES / self.capacity.throughput + 1)

    @property
    def dearer(self) -> float:
        """Processors' time of the service for an accepted request, refusals included, to what it was before."""
        before_s = self.capacity_s / len(self.capacity.accepted())
        return self.observation_s / self.accepted / before_s


def overload(kinds: Sequence[Kind], seconds: float, allowed: float) -> Overload:
    """Start the service and put the load on it.

    Args:
        kinds: kinds of requests; the first is the photograph.
        seconds: seconds of each phase.
        allowed: times of the usual time of a photograph that count as usual.
    """
    photograph = Path(kinds[0].body).read_bytes()
    with started(OURS.with_environment(FCN_DEADLINE_S=str(DEADLINE_S)), sys.executable, photograph) as service:
        usual_ms = statistics.median(_latencies_ms(service, photograph, 20))
        idle_s = processor_seconds(service.process.pid)
        capacity = observe(Traffic(service.port, (kinds[0],), seconds, clients=CLIENTS, fresh=_FRESH))
        capacity_s = processor_seconds(service.process.pid) - idle_s
        traffic = Traffic(service.port, tuple(kinds), seconds, rate=TIMES * capacity.throughput, fresh=_FRESH)
        own_s = time.process_time()
        with MemoryWatch(service.process.pid, _WATCH_S) as memory, Generator(traffic) as generator:
            request = post(kinds[0].path, photograph)
            asked = asyncio.run(ask_in_turn(service.port, request, PATIENT_CLIENTS, 0.8 * seconds))
            generator.wait_until_ready()
            recovered_s = _recovery_s(service, photograph, allowed * usual_ms)
            observation = generator.observation()
        own_s = time.process_time() - own_s
        observation_s = processor_seconds(service.process.pid) - idle_s - capacity_s
        promised = promised_bytes(service.log())
    return Overload(
        capacity=capacity,
        capacity_s=capacity_s,
        usual_ms=usual_ms,
        observation=observation,
        observation_s=observation_s,
        own_s=own_s,
        asked=asked,
        recovered_s=recovered_s,
        peak_bytes=memory.peak_bytes,
        promised_bytes=promised,
    )


def findings(name: str, seen: Overload, allowed: float) -> list[Finding]:
    """What one variant gave, beside what must be."""
    load = seen.observation
    photographs, turned_away = load.of("photograph"), _heads_ms(load.refused())
    p99_s = percentile([each.whole_ms for each in photographs.accepted()], 99) / 1e3
    rows = [
        Finding("sent", f"{len(load.exchanges)} in {load.seconds:.0f} s: {len(load.exchanges) / load.seconds:.0f}/s"),
        Finding("the generator was late", f"p50 {load.late_ms(50):.1f} ms, p99 {load.late_ms(99):.1f} ms"),
        Finding("processors that the load took", f"{seen.processors:.2f} ({seen.capacity.processors:.2f} before)"),
        at_most("accepted photographs, p99", p99_s, DEADLINE_S, "{:.2f} s"),
        at_most("refusals, p50", percentile(turned_away, 50), 50, "{:.1f} ms"),
        Finding("refusals, p99", f"{percentile(turned_away, 99):.1f} ms"),
        Finding("answers", load.statuses()),
        none_of("answers that are neither, and none", len(load.others()), [each.status for each in load.others()]),
        *_large_findings(load.of("large")),
        at_most("resident memory, peak", seen.peak_bytes / 1e6, seen.promised_bytes / 1e6, "{:.0f} MB"),
        at_most(
            f"from the end until a photograph takes {allowed:g} times its usual {seen.usual_ms:.0f} ms or less",
            seen.recovered_s,
            seen.recovery_bound_s,
            "{:.1f} s",
        ),
        Finding(
            "accepted after Retry-After, while others ask without waiting",
            f"{accepted_share(seen.asked):.0%} of {len(refused(seen.asked))}",
        ),
    ]
    return [Finding(f"{name}: {row.what}", row.seen, row.must, row.holds) for row in rows]


def throughput_findings(seen: Overload) -> list[Finding]:
    """Throughput against capacity; only photographs alone are a measure of it."""
    return [
        Finding(
            f"capacity: {CLIENTS} clients",
            f"{seen.capacity.throughput:.2f}/s; of the processors left over {seen.fair_capacity:.2f}/s",
        ),
        at_least("throughput / capacity left over", seen.throughput / seen.fair_capacity, 0.9, "{:.2f}"),
        Finding("throughput / capacity", f"{seen.throughput / seen.capacity.throughput:.2f}"),
        Finding("processors' time of the service for an accepted photograph / before", f"{seen.dearer:.2f}"),
    ]


def burst(photograph: bytes) -> list[Finding]:
    """Twice as many at once as have places, and nobody after them: whoever waits as told has to be accepted."""
    with started(OURS, sys.executable, photograph) as service:
        request = post(OURS.path, photograph)
        asked = asyncio.run(ask_at_once(service.port, request, 2 * PLACES))
    again = refused(asked)
    told = sorted({one.retry_after_s for one in again})
    done_s = max(one.done_s for one in asked if one.first_status == 200)
    return [
        at_least(f"of {2 * PLACES} at once: accepted", len(asked) - len(again), PLACES, "{}"),
        at_least("the others, accepted after Retry-After", accepted_share(asked), 1.0, "{:.0%}"),
        at_most("longest Retry-After / time until all accepted were answered", max(told) / done_s, 2.0, "{:.2f}"),
        Finding(
            "Retry-After", f"{', '.join(f'{seconds:g}' for seconds in told)} s; all were answered in {done_s:.1f} s"
        ),
    ]


def _large_findings(large: Observation) -> list[Finding]:
    if not large.exchanges:
        return []
    accepted = large.accepted()
    if not accepted:
        return [Finding("accepted of 12 MP", f"none of {len(large.exchanges)}")]
    first_s = percentile(_heads_ms(accepted), 99) / 1e3
    whole_s = percentile([each.whole_ms for each in accepted], 99) / 1e3
    return [
        at_most(
            f"accepted of 12 MP ({len(accepted)} of {len(large.exchanges)}), first rows, p99",
            first_s,
            DEADLINE_S,
            "{:.2f} s",
        ),
        Finding("accepted of 12 MP, last rows, p99", f"{whole_s:.1f} s"),
    ]


def _heads_ms(exchanges: Sequence[Exchange]) -> list[float]:
    return [exchange.head_ms for exchange in exchanges]


def _latencies_ms(service: RunningService, image: bytes, count: int) -> list[float]:
    """Milliseconds of single requests, one after another."""
    latencies = []
    for _ in range(count):
        begun = time.perf_counter()
        segment(OURS, service.port, image)
        latencies.append((time.perf_counter() - begun) * 1e3)
    return latencies


def _recovery_s(service: RunningService, image: bytes, allowed_ms: float) -> float:
    """Seconds until a request is accepted that takes as long as allowed; infinite if none is."""
    ended = time.perf_counter()
    while (since_s := time.perf_counter() - ended) < _PATIENCE_S:
        try:
            latency_ms = _latencies_ms(service, image, 1)[0]
        except ServiceError:
            continue
        if latency_ms <= allowed_ms:
            return since_s
    return float("inf")


def main() -> int:
    arguments = parser("overload", __doc__)
    arguments.add_argument("--seconds", type=float, default=60, help="of each phase (60)")
    seconds = arguments.parse_args().seconds
    with TemporaryDirectory() as folder:
        photograph = Kind("photograph", OURS.path, write_photograph(Path(folder), PHOTOGRAPH))
        large = Kind("large", OURS.path, write_photograph(Path(folder), TWELVE_MEGAPIXELS), _LARGE_SHARE)
        alone = overload([photograph], seconds, USUAL)
        mixed = overload([photograph, large], seconds, USUAL_BESIDE_LARGE)
        rows = burst(Path(photograph.body).read_bytes())
    return conclude(
        [
            *throughput_findings(alone),
            *findings("photographs", alone, USUAL),
            *findings("with large images", mixed, USUAL_BESIDE_LARGE),
            *rows,
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
