"""Arrival times of an open loop, whose requests do not wait for the responses to earlier ones."""

import random


def arrival_times(rate: float, seconds: float, max_requests: int, seed: int = 0) -> list[float]:
    """Draw the times at which independent clients send, a Poisson process: seconds from the start, ascending.

    The same seed gives the same pattern at any rate, only faster or slower.

    Args:
        rate: mean requests per second, above 0.
        seconds: latest arrival.
        max_requests: upper bound on the number of arrivals.
        seed: seed of the random gaps.
    """
    gaps = random.Random(seed)
    times: list[float] = []
    now = gaps.expovariate(1.0) / rate
    while now <= seconds and len(times) < max_requests:
        times.append(now)
        now += gaps.expovariate(1.0) / rate
    return times
