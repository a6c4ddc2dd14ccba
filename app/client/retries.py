"""When a request is retried."""

import random
from dataclasses import dataclass

from app.client.errors import ServiceConnectionError, ServiceUnavailableError

_FIRST_S, _LONGEST_S = 0.5, 10.0
_LATENESS = 0.1


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a request is retried, and after which pause. Retries are safe: a segmentation changes nothing in the
    service.

    Attributes:
        number: maximum number of retries.

    Raises:
        ValueError: ``number`` is negative.
    """

    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError(f"the number of retries must be 0 or more, not {self.number}")

    def pause_s(self, error: ServiceUnavailableError | ServiceConnectionError, tried: int) -> float:
        """Seconds until the next retry, randomised so that clients do not retry at the same moment.

        Args:
            error: error of the last attempt.
            tried: number of retries so far.
        """
        told_s = error.retry_after_s if isinstance(error, ServiceUnavailableError) else None
        if told_s is not None:
            return told_s * random.uniform(1, 1 + _LATENESS)
        return min(_LONGEST_S, _FIRST_S * 2.0**tried) * random.uniform(0.5, 1)
