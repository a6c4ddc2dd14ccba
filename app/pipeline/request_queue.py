"""Running and waiting requests of one size class: how many there are, how long they take, and which are admitted."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from app.pipeline.admission import Admission
from app.pipeline.cost import TYPICAL_IMAGE_SIZE, Cost
from app.pipeline.memory import MemoryBudget
from app.pipeline.throughput import ThroughputEstimate
from app.problems import DEADLINE, QUEUE_FULL, TOO_COSTLY, ProblemError

_FIRST_MEAN_PIXELS = float(math.prod(TYPICAL_IMAGE_SIZE))
"""Assumed work per request in pixels, until the first request arrives."""

_NEWEST = 0.1
"""Weight of the newest request in the running mean."""


class RequestQueue:
    """The queue of a size class. Use it in the event loop's thread only.

    Args:
        slots: maximum number of requests running and waiting.
        memory: memory for their images and responses.
        throughput: estimate of the queue's throughput.
        deadline_s: seconds within which a response, or its first chunk, must be ready.

    Attributes:
        memory: memory for their images and responses.
        unopened: number of requests that will probably enter this queue, but whose image header is not read yet.
    """

    def __init__(self, slots: int, memory: MemoryBudget, throughput: ThroughputEstimate, deadline_s: float) -> None:
        self.memory = memory
        self.unopened = 0
        self._slots = slots
        self._throughput = throughput
        self._deadline_s = deadline_s
        self._admitted: set[Admission] = set()
        self._mean_pixels = _FIRST_MEAN_PIXELS

    @property
    def requests(self) -> int:
        """Number of requests running or waiting."""
        return len(self._admitted) + self.unopened

    @property
    def wait_s(self) -> float:
        """Estimated seconds until all requests in the queue are done."""
        known = sum(admission.remaining_pixels for admission in self._admitted)
        return (known + self.unopened * self._mean_pixels) * self._throughput.seconds_per_pixel

    def require_room(self) -> None:
        """Raise ``QUEUE_FULL`` unless a slot is free."""
        if self.requests >= self._slots:
            raise refusal(f"{self.requests} requests are running or waiting; {self._slots} are allowed", self.wait_s)

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """Count a request while its image's header is being read."""
        self.unopened += 1
        try:
            yield
        finally:
            self.unopened -= 1

    @contextmanager
    def enter(self, admission: Admission, cost: Cost) -> Iterator[None]:
        """Hold a slot for a request while it runs or waits.

        Raises:
            ProblemError: the queue is full, or the request would miss its deadline or needs too much memory.
        """
        self._require_memory(cost)
        self.require_room()
        self._require_time(cost)
        admission.cost = cost
        self._admitted.add(admission)
        self._mean_pixels += _NEWEST * (cost.work_pixels - self._mean_pixels)
        self._throughput.begin()
        try:
            yield
        finally:
            self._admitted.remove(admission)
            self._throughput.end(admission.done_pixels)

    def _require_time(self, cost: Cost) -> None:
        """Raise ``DEADLINE`` if the response's first chunk would come too late. A streamed response's first chunk
        waits for the requests before it only if they hold the memory.
        """
        own_s, before_s = cost.work_pixels * self._throughput.seconds_per_pixel, self.wait_s
        if cost.is_streamed:
            own_s, before_s = 0, 0 if self.memory.has_room(cost.peak_bytes) else before_s
        if before_s + own_s > self._deadline_s:
            detail = (
                f"the image would take about {own_s:.0f} s, after {before_s:.0f} s of waiting work; "
                f"{self._deadline_s:g} s are allowed"
            )
            retry_after_s = _whole_seconds(before_s) if own_s <= self._deadline_s else None
            raise ProblemError(DEADLINE, detail, retry_after_s=retry_after_s)

    def _require_memory(self, cost: Cost) -> None:
        if cost.peak_bytes > self.memory.limit_bytes:
            raise ProblemError(
                TOO_COSTLY,
                f"an image of {cost.pixels} pixels in this format, with these parameters, needs "
                f"{_megabytes(cost.peak_bytes)} MB of memory; {_megabytes(self.memory.limit_bytes)} MB are allowed",
            )


def refusal(detail: str, wait_s: float) -> ProblemError:
    """The problem for a request that does not fit."""
    retry_after_s = _whole_seconds(wait_s)
    return ProblemError(QUEUE_FULL, f"{detail}; try again in {retry_after_s} s", retry_after_s=retry_after_s)


def _whole_seconds(wait_s: float) -> int:
    """Value of Retry-After: ``wait_s`` rounded up, at least 1."""
    return max(1, math.ceil(wait_s))


def _megabytes(size_bytes: int) -> int:
    return math.ceil(size_bytes / 1e6)
