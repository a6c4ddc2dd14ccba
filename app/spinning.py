"""Limits how long PyTorch's threads spin while they wait for each other."""

import os

_SPIN_COUNT = "2000"
"""Number of checks, some tens of microseconds, after which a waiting thread sleeps."""


def limit_spinning() -> None:
    """Make waiting threads sleep soon, unless the environment says otherwise. Call this before PyTorch is imported.

    By default, GNU OpenMP lets them spin for milliseconds. If another program needs the processors, a spinning thread
    takes time from the thread that it waits for, and some images take many times as long
    (``benchmarks.busy_neighbour``). A network's layers follow each other immediately, so that few threads fall asleep
    even with fewer checks.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPIN_COUNT)
