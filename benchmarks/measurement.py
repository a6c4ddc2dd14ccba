"""Latencies and failures of one phase of load."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def percentile(values: Sequence[float], percent: float) -> float:
    """Smallest value that ``percent`` per cent of the values do not exceed (nearest rank); NaN if there are none.

    Args:
        values: values in any order.
        percent: above 0, at most 100.
    """
    return float(np.percentile(values, percent, method="inverted_cdf")) if values else math.nan


@dataclass(frozen=True, slots=True)
class Measurement:
    """Responses to one phase of load.

    Attributes:
        latencies_ms: latency of each response with status 200.
        elapsed_s: seconds from the phase's start until the last response.
        failures: requests with another status or no response.
        sent_late_ms: greatest delay with which the generator itself sent a request; 0 if requests have no schedule.
    """

    latencies_ms: tuple[float, ...]
    elapsed_s: float
    failures: int = 0
    sent_late_ms: float = 0.0

    def percentile(self, percent: float) -> float:
        """Percentile of the latencies, in milliseconds."""
        return percentile(self.latencies_ms, percent)

    @property
    def throughput(self) -> float:
        """Responses with status 200 per second."""
        return len(self.latencies_ms) / self.elapsed_s
