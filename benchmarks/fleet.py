"""Many pods on paper: how requests are shared out, and how the autoscaler of the chart follows the load. Simulated.

    python -m benchmarks.fleet [--capacity 11.3] [--pods 16]

A pod is what the service is on two cores: it works on two requests at a time, lets 34 be in work or waiting, and
refuses the rest; how many it answers a second is measured (docs/benchmarks.md). Requests arrive at random (a Poisson
process); nine of ten are photographs, and each tenth takes five times as long, as one of a megapixel does. The network
between is taken to be without delay and without loss, and nobody comes again who was refused.
"""

import argparse
import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.measurement import percentile

AT_ONCE = 2
PLACES = 34
"""Of a pod: ``FCN_CONCURRENCY`` and ``FCN_QUEUE_LENGTH``."""

LARGE_SHARE = 0.1
LARGE_TIMES = 5
"""Requests that take so many times as long as the others."""

CLIENTS = 64
"""Connections that stay with the pod that they were made to, where connections are shared out and not requests."""


@dataclass(slots=True, eq=False)
class Pod:
    """One replica.

    Attributes:
        free_at: when each of its workers has done all that it was given.
        ends: of requests in work and waiting, in no order.
        ready_at: from when it takes requests.
    """

    ready_at: float = 0.0
    free_at: list[float] = field(default_factory=lambda: [0.0] * AT_ONCE)
    ends: list[float] = field(default_factory=list)

    def depth(self, now: float) -> int:
        """Requests in work and waiting."""
        while self.ends and self.ends[0] <= now:
            heapq.heappop(self.ends)
        return len(self.ends)

    def serve(self, now: float, work_s: float) -> float | None:
        """Seconds until a request is answered; None if it is refused."""
        if self.depth(now) >= PLACES:
            return None
        end = max(now, heapq.heappop(self.free_at)) + work_s
        heapq.heappush(self.free_at, end)
        heapq.heappush(self.ends, end)
        return end - now


Balancer = Callable[[Sequence[Pod], float, random.Random], Pod]
"""Chooses the pod of a request, of those that there are, at a moment, perhaps by chance."""


def by_connection() -> Balancer:
    """A request goes where its connection was made to: what a Service does for clients that keep theirs."""
    places = [random.Random(client).random() for client in range(CLIENTS)]
    return lambda pods, _, chance: pods[int(chance.choice(places) * len(pods))]


def round_robin() -> Balancer:
    """To one after the other."""
    numbers = itertools.count()
    return lambda pods, _now, _chance: pods[next(numbers) % len(pods)]


def two_choices() -> Balancer:
    """To the one of two, drawn at random, that has fewer requests."""
    return lambda pods, now, chance: min(chance.choices(pods, k=2), key=lambda pod: pod.depth(now))


def least_outstanding() -> Balancer:
    """To the one that has the fewest."""
    return lambda pods, now, _: min(pods, key=lambda pod: pod.depth(now))


BALANCERS: dict[str, Callable[[], Balancer]] = {
    "by connection": by_connection,
    "round robin": round_robin,
    "best of two at random": two_choices,
    "least outstanding": least_outstanding,
}


def work_s(capacity: float, chance: random.Random) -> float:
    """Of a request, on one of a pod's workers; the mean is what ``capacity`` requests a second allow."""
    times = LARGE_TIMES if chance.random() < LARGE_SHARE else 1
    mean_times = 1 + LARGE_SHARE * (LARGE_TIMES - 1)
    return times * AT_ONCE / (capacity * mean_times)


def arrivals(rate: Callable[[float], float], most: float, seconds: float, chance: random.Random) -> Iterator[float]:
    """Moments of a Poisson process whose rate changes, and is never above ``most``."""
    now = 0.0
    while (now := now + chance.expovariate(most)) < seconds:
        if chance.random() * most < rate(now):
            yield now


@dataclass(frozen=True, slots=True)
class Shared:
    """How a fleet of a fixed size did.

    Attributes:
        waits_s: of each request that was answered.
        refused: share of the requests, 0..1.
        depth: mean of the requests that a pod had in work and waiting.
    """

    waits_s: list[float]
    refused: float
    depth: float


def share_out(balancer: Balancer, pods: int, capacity: float, load: float, seconds: float = 300) -> Shared:
    """Let a fleet of pods, each of so much capacity, take a share of it as load."""
    chance = random.Random(0)
    fleet = [Pod() for _ in range(pods)]
    rate = load * capacity * pods
    waits, refused, depths = [], 0, []
    for now in arrivals(lambda _: rate, rate, seconds, chance):
        depths.append(sum(pod.depth(now) for pod in fleet) / pods)
        wait = balancer(fleet, now, chance).serve(now, work_s(capacity, chance))
        if wait is None:
            refused += 1
        else:
            waits.append(wait)
    return Shared(waits, refused / (refused + len(waits)), sum(depths) / len(depths))


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler as the chart sets it, and what is around it.

    Attributes:
        target: of the mean queue depth.
        least: pods.
        most: pods.
        start_s: from its decision until a new pod is ready: it is scheduled, starts, loads weights, and is probed.
        begin: pods that there are at first; ``least`` if it is 0.
        rise_s: in which it may double the pods, or add four.
        stabilization_s: for which it remembers that it wanted more.
        is_limited: whether it goes down by a pod, or a tenth of them, a minute, and not at once.
    """

    target: float
    least: int
    most: int
    start_s: float
    begin: int = 0
    rise_s: float = 60.0
    stabilization_s: float = 300.0
    is_limited: bool = True


_SYNC_S = 15.0
"""Between two decisions, and between two looks of Prometheus."""

_WINDOW = 4
"""Looks that the adapter's rule takes the mean of: a minute."""

_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Followed:
    """How a fleet did that follows its load.

    Attributes:
        pods: at each decision: the time, and how many there are.
        refused: moments at which a request was refused.
        requests: in all.
    """

    pods: list[tuple[float, int]]
    refused: list[float]
    requests: int


def follow(scaler: Autoscaler, rate: Callable[[float], float], most_rate: float, capacity: float, s: float) -> Followed:
    """Let the autoscaler follow a load for ``s`` seconds."""
    chance = random.Random(0)
    fleet = [Pod() for _ in range(scaler.begin or scaler.least)]
    looks: deque[dict[Pod, int]] = deque(maxlen=_WINDOW)
    wanted: deque[tuple[float, int]] = deque()
    sizes: deque[tuple[float, int]] = deque([(0.0, len(fleet))])
    history, refused, requests, decided = [(0.0, len(fleet))], [], 0, 0.0
    choose = least_outstanding()
    for now in arrivals(rate, most_rate, s, chance):
        while now - decided >= _SYNC_S:
            decided += _SYNC_S
            looks.append({pod: pod.depth(decided) for pod in fleet if pod.ready_at <= decided})
            size = _decide(scaler, fleet, looks, wanted, sizes, decided)
            fleet += [Pod(decided + scaler.start_s) for _ in range(size - len(fleet))]
            del fleet[size:]  # those that go finish what they have
            sizes.append((decided, size))
            history.append((decided, size))
        requests += 1
        ready = [pod for pod in fleet if pod.ready_at <= now]
        if choose(ready, now, chance).serve(now, work_s(capacity, chance)) is None:
            refused.append(now)
    return Followed(history, refused, requests)


def _decide(
    scaler: Autoscaler,
    fleet: Sequence[Pod],
    looks: Sequence[dict[Pod, int]],
    wanted: deque[tuple[float, int]],
    sizes: deque[tuple[float, int]],
    now: float,
) -> int:
    current = len(fleet)
    depths = [
        sum(seen) / len(seen) if (seen := [look[pod] for look in looks if pod in look]) else 0.0
        for pod in fleet  # of those that are not ready it is taken to be 0
    ]
    ratio = sum(depths) / current / scaler.target
    desired = current if abs(ratio - 1) <= _TOLERANCE else math.ceil(current * ratio)
    wanted.append((now, desired))
    while wanted[0][0] < now - scaler.stabilization_s:
        wanted.popleft()
    if desired > current:
        before = _size_before(sizes, now - scaler.rise_s)
        desired = min(desired, max(2 * before, before + 4))
    else:
        desired = min(current, max(size for _, size in wanted))
        if scaler.is_limited:
            before = _size_before(sizes, now - 60)
            desired = max(desired, min(math.floor(0.9 * before), before - 1))
    return max(scaler.least, min(scaler.most, desired))


def _size_before(sizes: deque[tuple[float, int]], at: float) -> int:
    """Pods that there were at a moment."""
    while len(sizes) > 1 and sizes[1][0] <= at:
        sizes.popleft()
    return sizes[0][1]


def _balancing(pods: int, capacity: float) -> str:
    lines = [
        "| shared out | load | mean queue depth | p50, ms | p99, ms | refused |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, make in BALANCERS.items():
        for load in (0.6, 0.8, 0.9):
            seen = share_out(make(), pods, capacity, load)
            p50, p99 = (1000 * percentile(seen.waits_s, percent) for percent in (50, 99))
            lines.append(f"| {name} | {load:.0%} | {seen.depth:.1f} | {p50:.0f} | {p99:.0f} | {seen.refused:.1%} |")
    return "\n".join(lines)


_BEFORE_S, _AFTER_S, _END_S = 300.0, 1500.0, 3600.0


def _autoscaling(capacity: float) -> str:
    low, high = 0.6 * 4 * capacity, 3 * 0.6 * 4 * capacity

    def rate(now: float) -> float:
        return high if _BEFORE_S <= now < _AFTER_S else low

    columns = (
        "autoscaler",
        "pods before, at most, at the end",
        "refused after the rise",
        "until none is",
        "refused after the fall",
    )
    lines = [
        f"Load {low:.0f}/s, from minute 5 to 25 {high:.0f}/s, then {low:.0f}/s again until minute 60.",
        "",
        f"| {' | '.join(columns)} |",
        "| --- | --- | --- | --- | --- |",
    ]
    chart = Autoscaler(target=2, least=2, most=60, start_s=20, begin=4)
    kinds = {
        "as the chart sets it, pods ready in 20 s": chart,
        "pods ready in 180 s (a new node)": replace(chart, start_s=180),
        "it may double each 30 s": replace(chart, rise_s=30),
        "target 1": replace(chart, target=1),
        "target 4": replace(chart, target=4),
        "down at once, without limit": replace(chart, stabilization_s=0, is_limited=False),
    }
    for name, scaler in kinds.items():
        seen = follow(scaler, rate, high, capacity, _END_S)
        up = [at for at in seen.refused if _BEFORE_S <= at < _AFTER_S]
        down = [at for at in seen.refused if at >= _AFTER_S]
        at_5 = next(size for at, size in seen.pods if at >= _BEFORE_S - _SYNC_S)
        most, end = max(size for _, size in seen.pods), seen.pods[-1][1]
        until = f"{up[-1] - _BEFORE_S:.0f} s" if up else ""
        lines.append(f"| {name} | {at_5}, {most}, {end} | {len(up)} | {until} | {len(down)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--capacity", type=float, default=11.3, help="photographs a second of a pod (%(default)s)")
    parser.add_argument("--pods", type=int, default=16, help="where their number is fixed (%(default)s)")
    arguments = parser.parse_args()
    print(f"{arguments.pods} pods of {arguments.capacity:g}/s each, simulated:\n")
    print(_balancing(arguments.pods, arguments.capacity))
    print(f"\n{_autoscaling(arguments.capacity)}")


if __name__ == "__main__":
    main()
