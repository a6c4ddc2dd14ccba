"""Throughput, estimated from finished work."""

import time
from collections.abc import Callable

_REMEMBERED = 0.9
"""Factor on the weight of all earlier work when a request ends."""

_FIRST_PIXELS = 1 << 20
"""Weight of the first estimate, in pixels."""


class ThroughputEstimate:
    """Seconds per pixel while there is work, with however many requests run in parallel.

    Args:
        seconds_per_pixel: the first estimate.
        clock: monotonic clock in seconds.
    """

    def __init__(self, seconds_per_pixel: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pixels = float(_FIRST_PIXELS)
        self._seconds = seconds_per_pixel * _FIRST_PIXELS
        self._in_work = 0
        self._since = 0.0

    @property
    def seconds_per_pixel(self) -> float:
        return self._seconds / self._pixels

    def begin(self) -> None:
        """Record that a request has begun."""
        if self._in_work == 0:
            self._since = self._clock()
        self._in_work += 1

    def end(self, pixels: int) -> None:
        """Record that a request has ended.

        Args:
            pixels: pixels of work done; 0 if it was cancelled.
        """
        self._in_work -= 1
        now = self._clock()
        if pixels:
            self._seconds = _REMEMBERED * self._seconds + now - self._since
            self._pixels = _REMEMBERED * self._pixels + pixels
            self._since = now
