"""Times of engines, taken in turns, so that what disturbs the machine disturbs all of them."""

import statistics
import time
from collections.abc import Mapping

from benchmarks.engines.candidate import Engine, example


def interleaved(engines: Mapping[str, Engine], size: tuple[int, int], rounds: int, calls: int) -> dict[str, float]:
    """Median milliseconds of one call of each engine on images of a (height, width).

    In each of the rounds every engine has its turn: one call that is not counted, in which caches fill and the
    waiting threads of the engine before come to rest, then ``calls`` that are.
    """
    images = example(*size)
    times: dict[str, list[float]] = {name: [] for name in engines}
    for engine in engines.values():  # engines that prepare themselves for a size do it here
        engine(images)
    for _ in range(rounds):
        for name, engine in engines.items():
            engine(images)
            for _ in range(calls):
                start = time.perf_counter()
                engine(images)
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) * 1000 for name, taken in times.items()}
