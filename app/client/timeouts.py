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
        connect_s: seconds until a connection is established. Only this timeout leads to a retry.
        write_s: seconds until the service accepts the next chunk of the image.
        read_s: seconds until the first or next chunk of the response. The service's own deadline, 120 s, is shorter, so
            that the service can say why.
        total_s: seconds for the whole call: all retries, the pauses between them, and the request for the classes'
            names. A running request is given up when its next chunk arrives, or after ``read_s``.

    Raises:
        ValueError: a limit is not more than 0.
    """

    connect_s: float = 5
    write_s: float = 30
    read_s: float = 150
    total_s: float = 900

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"{field.name} must be more than 0, not {value}")


DEFAULT_TIMEOUTS = Timeouts()


class Deadline:
    """The end of a call.

    Args:
        total_s: seconds from now.
        clock: monotonic clock in seconds.
    """

    def __init__(self, total_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._total_s = total_s
        self._clock = clock
        self._end = clock() + total_s

    @property
    def left_s(self) -> float:
        return self._end - self._clock()

    def require(self) -> None:
        """Raise ServiceTimeoutError if the deadline has passed."""
        if self.left_s <= 0:
            raise ServiceTimeoutError(f"the call took longer than total_s = {self._total_s:g} s")

    def bound(self, limit_s: float) -> float | None:
        """The shorter of a limit and the time left for the call, in seconds; None if both are infinite."""
        shorter = min(limit_s, self.left_s)
        return None if math.isinf(shorter) else max(0.001, shorter)
