"""When a try is followed by another."""

import random
from dataclasses import dataclass

from app.client.errors import ServiceConnectionError, ServiceUnavailableError

_FIRST_S, _LONGEST_S = 0.5, 10.0
_LATENESS = 0.1


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and after which pause. A segmentation changes nothing in the service, so it may be asked for again.

    Attributes:
        number: of tries after the first; 0 for none.

    Raises:
        ValueError: it is negative.
    """

    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError(f"the number of retries is to be 0 or more, not {self.number}")

    def pause_s(self, error: ServiceUnavailableError | ServiceConnectionError, tried: int) -> float:
        """Seconds until the next try; what clients were told or found together they do not do together.

        Args:
            error: of the last try.
            tried: number of tries before it.
        """
        told_s = error.retry_after_s if isinstance(error, ServiceUnavailableError) else None
        if told_s is not None:
            return told_s * random.uniform(1, 1 + _LATENESS)
        return min(_LONGEST_S, _FIRST_S * 2.0**tried) * random.uniform(0.5, 1)
