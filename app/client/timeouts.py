"""Timeouts of a client."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields

from app.client.errors import ServiceTimeoutError


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in seconds, each more than 0; `math.inf` for none.

    Attributes:
        connect_s: until a connection is there. Only this one is followed by another try.
        write_s: until the service takes the next part of the image.
        read_s: until the next part of the response, the first included. The service's own deadline, 120 s, is shorter,
            so that it is the service that says why.
        total_s: for all of a call: every try, the waits between them, and the names of the classes. What has begun is
            given up when the next part of it arrives, or by ``read_s``.

    Raises:
        ValueError: one is not more than 0.
    """

    connect_s: float = 5
    write_s: float = 30
    read_s: float = 150
    total_s: float = 900

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"{field.name} is to be more than 0, not {value}")


DEFAULT_TIMEOUTS = Timeouts()


class Deadline:
    """The end of a call.

    Args:
        total_s: seconds from now.
        clock: monotonic seconds.
    """

    def __init__(self, total_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._total_s = total_s
        self._clock = clock
        self._end = clock() + total_s

    @property
    def left_s(self) -> float:
        return self._end - self._clock()

    def require(self) -> None:
        """Raises ServiceTimeoutError if it has passed."""
        if self.left_s <= 0:
            raise ServiceTimeoutError(f"the call took longer than total_s = {self._total_s:g} s")

    def bound(self, limit_s: float) -> float | None:
        """A limit that ends no later than the call; None if neither ends."""
        shorter = min(limit_s, self.left_s)
        return None if math.isinf(shorter) else max(0.001, shorter)
