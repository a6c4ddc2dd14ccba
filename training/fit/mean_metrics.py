"""Means of a run's metrics over several steps."""

from collections import defaultdict
from collections.abc import Mapping


class MeanMetrics:
    """Means since the last reset: one batch's loss says little about a run."""

    def __init__(self) -> None:
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._steps = 0

    def update(self, values: Mapping[str, float]) -> None:
        """Add the metrics of a step; each step has the same."""
        for name, value in values.items():
            self._sums[name] += value
        self._steps += 1

    def compute(self) -> dict[str, float]:
        """Return the means."""
        return {name: total / self._steps for name, total in self._sums.items()}

    def reset(self) -> None:
        """Forget all steps."""
        self._sums.clear()
        self._steps = 0
