"""Throughput of repeated calls."""

import time
from collections.abc import Callable

import torch

WARM_UP = 3


def rate(work: Callable[[], object], images: int, seconds: float, device: torch.device) -> float:
    """Call ``work``, which predicts ``images`` images, for some seconds, and return images per second."""

    def finish() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    for _ in range(WARM_UP):
        work()
    finish()
    calls, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        work()
        calls += 1
    finish()
    return calls * images / (time.perf_counter() - started)
