"""Ten times as many requests as the service can handle: what it accepts, what it refuses, and what both cost.

    python -m benchmarks.reliability.overload [--seconds 60]

The capacity is the throughput of eight clients that wait for their responses. Then ten times as many requests arrive at
random, without waiting for earlier responses, on new and on kept-alive connections: once photographs alone, and once
with an image of 12 megapixels among every twenty. The load generator has a process of its own but shares the cores with
the service. The CPU time that it takes beyond what it took for the capacity is deducted from the capacity with which
the throughput is compared. Meanwhile other clients wait for as long as ``Retry-After`` says.
"""

import asyncio
import math
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
from benchmarks.process_tree import processor_seconds
from benchmarks.reliability.bodies import PHOTOGRAPH, TWELVE_MEGAPIXELS, write_photograph
from benchmarks.reliability.check import conclude, parser
from benchmarks.reliability.patience import Asked, accepted_share, ask_at_once, ask_in_turn, refused
from benchmarks.reliability.resident import MemoryWatch, promised_bytes
from benchmarks.service import OURS, RunningService, ServiceError, segment, started
from benchmarks.traffic import Exchange, Generator, Kind, Observation, Traffic, observe

TIMES = 10
CLIENTS = 8
PATIENT_CLIENTS = 5
DEADLINE_S = 10.0
PLACES = 34
"""Requests that the service's settings admit: 2 in progress and 32 waiting."""

KEPT = 0.75
"""Share of its throughput that the service must keep. The rest is for refusals, a dozen for each accepted request."""

RECOVERY_S = 5.0
USUAL = 1.5
"""Factor on a photograph's usual latency up to which it counts as recovered ..."""

USUAL_BESIDE_LARGE = 2.5
"""... and the same while accepted large images are still in progress."""

_PATIENCE_S = 60.0
_WATCH_S = 0.5
_FRESH = 0.3
_LARGE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Overload:
    """Measurements of one variant.

    Attributes:
        capacity: outcome of the closed loop that measures the capacity.
        capacity_s: CPU seconds of the service during that loop.
        usual_ms: latency of a photograph on the idle service.
        observation: outcome of the overload.
        observation_s: CPU seconds of the service during the overload.
        own_s: CPU seconds of this process during the overload, for the patient clients and for watching the memory.
        asked: outcomes of the patient clients, which wait as ``Retry-After`` says.
        recovered_s: seconds from the last arrival until a photograph took its usual time again.
        peak_bytes: peak of resident memory.
        promised_bytes: memory bound that the service logged.
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
        """Accepted requests, those of the patient clients included."""
        patient = sum((one.first_status == 200) + (one.second_status == 200) for one in self.asked)
        return len(self.observation.accepted()) + patient

    @property
    def throughput(self) -> float:
        """Accepted requests per second."""
        return self.accepted / self.observation.elapsed_s

    @property
    def processors(self) -> float:
        """Mean number of CPU cores that generating the load kept busy."""
        return self.observation.processors + self.own_s / self.observation.elapsed_s

    @property
    def fair_capacity(self) -> float:
        """Capacity in requests per second, scaled to the CPU time that the load left over."""
        cores = len(os.sched_getaffinity(0))
        return self.capacity.throughput * (cores - self.processors) / (cores - self.capacity.processors)

    @property
    def recovery_bound_s(self) -> float:
        """Allowed seconds of recovery: accepted requests are processed first, which takes longer on a slow machine."""
        return max(RECOVERY_S, PLACES / self.capacity.throughput + 1)

    @property
    def dearer(self) -> float:
        """The service's CPU time per accepted request, refusals included, over that during the capacity phase."""
        before_s = self.capacity_s / len(self.capacity.accepted())
        return self.observation_s / self.accepted / before_s


def overload(kinds: Sequence[Kind], seconds: float, allowed: float) -> Overload:
    """Start the service, measure its capacity, and overload it.

    Args:
        kinds: kinds of requests; the first is the photograph.
        seconds: seconds per phase.
        allowed: factor on a photograph's usual latency up to which it counts as recovered.
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
    """Compare the measurements of one variant with their bounds."""
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
    """Compare throughput with capacity; valid only for photographs alone."""
    return [
        Finding(
            f"capacity: {CLIENTS} clients",
            f"{seen.capacity.throughput:.2f}/s; of the processors left over {seen.fair_capacity:.2f}/s",
        ),
        at_least("throughput / capacity left over", seen.throughput / seen.fair_capacity, KEPT, "{:.2f}"),
        Finding("throughput / capacity", f"{seen.throughput / seen.capacity.throughput:.2f}"),
        Finding("processors' time of the service for an accepted photograph / before", f"{seen.dearer:.2f}"),
    ]


def burst(photograph: bytes) -> list[Finding]:
    """Send twice as many requests at once as fit, then none: clients that wait as told must all be accepted."""
    with started(OURS, sys.executable, photograph) as service:
        request = post(OURS.path, photograph)
        asked = asyncio.run(ask_at_once(service.port, request, 2 * PLACES))
    again = refused(asked)
    longest_s = max(one.retry_after_s for one in again)
    done_s = max(one.done_s for one in asked if one.first_status == 200)
    return [
        at_least(f"of {2 * PLACES} at once: accepted", len(asked) - len(again), PLACES, "{}"),
        at_least("the others, accepted after Retry-After", accepted_share(asked), 1.0, "{:.0%}"),
        Finding("all accepted were answered after", f"{done_s:.2f} s"),
        # Retry-After has whole seconds.
        at_most("longest Retry-After (twice this time, in whole seconds)", longest_s, math.ceil(2 * done_s), "{:g} s"),
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
    """Latencies of single requests, one after another, in milliseconds."""
    latencies = []
    for _ in range(count):
        begun = time.perf_counter()
        segment(OURS, service.port, image)
        latencies.append((time.perf_counter() - begun) * 1e3)
    return latencies


def _recovery_s(service: RunningService, image: bytes, allowed_ms: float) -> float:
    """Seconds until an accepted request takes no longer than allowed; infinite if none does."""
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
    arguments.add_argument("--seconds", type=float, default=60, help="seconds per phase (60)")
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
