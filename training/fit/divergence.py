"""Detection of a diverged run."""

import math

from training.errors import DivergedError

_MEMORY = 0.9
_WORSE_THAN_GUESSING = 5.0


class DivergenceGuard:
    """Detects a loss that is not a number, infinite, or on average far above that of uniform guessing.

    Args:
        num_classes: K; the loss of uniform guessing is ln K.
    """

    def __init__(self, num_classes: int) -> None:
        self._limit = _WORSE_THAN_GUESSING * math.log(max(2, num_classes))
        self._average: float | None = None

    def watch(self, loss: float) -> None:
        """Check a step's cross-entropy.

        Raises:
            DivergedError: the run has diverged; the message gives the reason.
        """
        if not math.isfinite(loss):
            raise DivergedError(f"the loss is {loss}")
        self._average = loss if self._average is None else _MEMORY * self._average + (1 - _MEMORY) * loss
        if self._average > self._limit:
            raise DivergedError(
                f"the loss exploded: {self._average:.1f} on average; {self._limit:.1f} is five times that of guessing"
            )
