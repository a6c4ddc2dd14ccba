"""When the requests of an open loop arrive: whether or not earlier ones have been answered."""

import random


def arrival_times(rate: float, seconds: float, max_requests: int, seed: int = 0) -> list[float]:
    """Seconds from the start at which independent clients send, in ascending order: a Poisson process.

    The same seed gives the same pattern at any rate, only faster or slower.

    Args:
        rate: mean requests a second, above 0.
        seconds: none arrives later.
        max_requests: the most there are.
        seed: seed of the random gaps.
    """
    gaps = random.Random(seed)
    times: list[float] = []
    now = gaps.expovariate(1.0) / rate
    while now <= seconds and len(times) < max_requests:
        times.append(now)
        now += gaps.expovariate(1.0) / rate
    return times
