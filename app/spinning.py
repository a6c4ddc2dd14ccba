"""How long PyTorch's threads stay awake while they wait for one another."""

import os

_SPIN_COUNT = "2000"
"""Checks of a thread that waits, some tens of microseconds, before it sleeps."""


def limit_spinning() -> None:
    """Let threads that wait go to sleep soon, unless the environment says otherwise; before PyTorch is imported.

    GNU's OpenMP lets them spin for milliseconds. Where another program wants the processors, a spinning thread takes
    the time of the one that it waits for, and some photographs take many times as long (``benchmarks.busy_neighbour``).
    A network's layers follow one another at once, so that few threads sleep with the fewer checks either.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPIN_COUNT)
