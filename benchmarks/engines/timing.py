"""Timing engines in turns, so that disturbances of the machine affect all of them."""

import statistics
import time
from collections.abc import Mapping

from benchmarks.engines.candidate import Engine, example


def interleaved(engines: Mapping[str, Engine], size: tuple[int, int], rounds: int, calls: int) -> dict[str, float]:
    """Median milliseconds of one call of each engine on an image of a (height, width).

    In each round every engine has its turn: one untimed call, in which caches fill and the waiting threads of the
    engine before stop spinning, then ``calls`` timed ones.
    """
    images = example(*size)
    times: dict[str, list[float]] = {name: [] for name in engines}
    for engine in engines.values():  # some engines prepare for a size in their first call
        engine(images)
    for _ in range(rounds):
        for name, engine in engines.items():
            engine(images)
            for _ in range(calls):
                start = time.perf_counter()
                engine(images)
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) * 1000 for name, taken in times.items()}
