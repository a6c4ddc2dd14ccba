"""Requests of one kind, in work and waiting: how many, how long they take, and who is let in."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.pipeline.cost import USUAL_PHOTOGRAPH, Price
from app.pipeline.memory import Memory
from app.pipeline.pace import Pace
from app.problems import DEADLINE, QUEUE_FULL, TOO_COSTLY, ProblemError

_FIRST_MEAN_PIXELS = float(math.prod(USUAL_PHOTOGRAPH))
"""Of a request's work, until some have come."""

_NEWEST = 0.1
"""Weight of the newest request in the mean."""


class Lane:
    """Belongs to the event loop's thread.

    Args:
        places: for requests.
        memory: for their images and answers.
        pace: how fast the lane goes.
        deadline_s: within which each has to be done.

    Attributes:
        memory: for their images and answers.
        unopened: requests whose images' headers are not read yet, and that will come here, as far as one can tell.
    """

    def __init__(self, places: int, memory: Memory, pace: Pace, deadline_s: float) -> None:
        self.memory = memory
        self.unopened = 0
        self._places = places
        self._pace = pace
        self._deadline_s = deadline_s
        self._tickets: set[Ticket] = set()
        self._mean_pixels = _FIRST_MEAN_PIXELS

    @property
    def requests(self) -> int:
        """Number of requests in work or waiting."""
        return len(self._tickets) + self.unopened

    @property
    def wait_s(self) -> float:
        """Estimated seconds until all that is in the lane is done."""
        known = sum(ticket.remaining_pixels for ticket in self._tickets)
        return (known + self.unopened * self._mean_pixels) * self._pace.seconds_per_pixel

    def require_room(self) -> None:
        """Raises ProblemError if another request could not wait."""
        if self.requests >= self._places:
            raise refusal(f"{self.requests} requests are in work or waiting, and {self._places} may", self.wait_s)

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """While a request's header is being read."""
        self.unopened += 1
        try:
            yield
        finally:
            self.unopened -= 1

    @contextmanager
    def enter(self, price: Price, progress: Callable[[], float]) -> Iterator["Ticket"]:
        """Let a request in for as long as there is work to do for it.

        Args:
            price: of the request.
            progress: the share of its work that is done, 0..1.

        Raises:
            ProblemError: the lane is full, the request could not be done in time or is too large for the memory.
        """
        self._require_memory(price)
        self.require_room()
        self._require_time(price)
        ticket = Ticket(price, progress)
        self._tickets.add(ticket)
        self._mean_pixels += _NEWEST * (price.work_pixels - self._mean_pixels)
        self._pace.begin()
        try:
            yield ticket
        finally:
            self._tickets.remove(ticket)
            self._pace.end(ticket.done_pixels)

    def _require_time(self, price: Price) -> None:
        """The deadline is for the answer's first part: where that is told before the last is known, it need not wait
        for those before, unless they have the memory.
        """
        own_s, before_s = price.work_pixels * self._pace.seconds_per_pixel, self.wait_s
        if price.is_streamed:
            own_s, before_s = 0, 0 if self.memory.has_room(price.peak_bytes) else before_s
        if before_s + own_s > self._deadline_s:
            detail = (
                f"the image would take about {own_s:.0f} s, after {before_s:.0f} s of work that wait; "
                f"{self._deadline_s:g} s are allowed"
            )
            raise ProblemError(DEADLINE, detail, retry_after(before_s) if own_s <= self._deadline_s else None)

    def _require_memory(self, price: Price) -> None:
        if price.peak_bytes > self.memory.limit_bytes:
            raise ProblemError(
                TOO_COSTLY,
                f"an image of {price.pixels} pixels in this format, cut and answered as asked for, takes "
                f"{_megabytes(price.peak_bytes)} MB of memory; {_megabytes(self.memory.limit_bytes)} MB are allowed",
            )


class Ticket:
    """Of a request that was let in.

    Attributes:
        is_done: whether its work was done.
    """

    def __init__(self, price: Price, progress: Callable[[], float]) -> None:
        self.is_done = False
        self._work_pixels = price.work_pixels
        self._progress = progress

    @property
    def done_pixels(self) -> int:
        """Of its work, finished or given up."""
        return self._work_pixels if self.is_done else int(self._work_pixels * self._progress())

    @property
    def remaining_pixels(self) -> int:
        return self._work_pixels - self.done_pixels


def refusal(detail: str, wait_s: float) -> ProblemError:
    """Of a request that there is no room for."""
    headers = retry_after(wait_s)
    return ProblemError(QUEUE_FULL, f"{detail}; try again in {headers['Retry-After']} s", headers)


def retry_after(wait_s: float) -> dict[str, str]:
    """The header that says when what waits now is done."""
    return {"Retry-After": str(max(1, math.ceil(wait_s)))}


def _megabytes(size_bytes: int) -> int:
    return math.ceil(size_bytes / 1e6)
