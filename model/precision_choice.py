"""How ``auto`` chooses the fastest precision whose masks agree: by the checkpoint's scores and by measurement."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from model.capabilities import available_precisions
from model.checkpoint import Checkpoint
from model.precision import Precision

DEFAULT_TOLERANCE = 0.005
"""Maximum loss of mIoU against float32 at which masks count as agreeing."""

_ORDER = (Precision.FLOAT32, Precision.BFLOAT16, Precision.INT8)
"""Precisions from the most exact: a later one is chosen only if it is clearly faster."""

_MAX_RATIO = 0.9
"""Maximum ratio of a precision's seconds to those of the chosen one before it; closer to 1, noise would decide."""

_ROUNDS = 3
"""Predictions timed per precision."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The precisions to choose from.

    Attributes:
        precisions: precisions that the device supports and the checkpoint scores well in; float32 first.
        rejections: for each other precision, the reason why it is not a candidate.
    """

    precisions: tuple[Precision, ...]
    rejections: Mapping[Precision, str]

    def reject(self, precision: Precision, reason: str) -> "Candidates":
        """Return the candidates without ``precision``."""
        others = tuple(other for other in self.precisions if other is not precision)
        return Candidates(others, {**self.rejections, precision: reason})


def find_candidates(checkpoint: Checkpoint, device: torch.device, tolerance: float = DEFAULT_TOLERANCE) -> Candidates:
    """Find the precisions that a device supports and a checkpoint scores well in.

    Args:
        checkpoint: a checkpoint; without scores by precision, float32 is the only candidate.
        device: the device to compute on.
        tolerance: maximum loss of mIoU against float32, on each list of images.
    """
    rejections: dict[Precision, str] = {}
    for precision in _ORDER[1:]:
        rejection = _rejection(precision, checkpoint, device, tolerance)
        if rejection is not None:
            rejections[precision] = rejection
    return Candidates(tuple(precision for precision in _ORDER if precision not in rejections), rejections)


def fastest(seconds: Mapping[Precision, float]) -> Precision:
    """Choose a precision, given the seconds that each takes for the same image; float32 if there are none."""
    chosen = Precision.FLOAT32
    for precision in _ORDER:
        if precision in seconds and seconds[precision] < _MAX_RATIO * seconds[chosen]:
            chosen = precision
    return chosen


def measure(predict: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the minimum duration of a few predictions, in seconds."""
    seconds = []
    for _ in range(_ROUNDS):
        started = clock()
        predict()
        seconds.append(clock() - started)
    return min(seconds)


def explain(candidates: Candidates, seconds: Mapping[Precision, float]) -> str:
    """Explain the choice: the measured times, and why each other precision was rejected."""
    times = ", ".join(f"{precision} {seconds[precision] * 1e3:.0f} ms" for precision in _ORDER if precision in seconds)
    measured = [f"measured on a photograph: {times}"] if times else []
    return "; ".join([*measured, *(f"no {precision}: {why}" for precision, why in candidates.rejections.items())])


def _rejection(precision: Precision, checkpoint: Checkpoint, device: torch.device, tolerance: float) -> str | None:
    if precision not in available_precisions(device):
        return f"device '{device}' does not support it"
    if precision is Precision.INT8 and not checkpoint.activation_ranges:
        return "the checkpoint has no ranges for it"
    scores = checkpoint.summary.precision_scores
    reference, found = scores.get(Precision.FLOAT32, {}), scores.get(precision, {})
    if not reference or reference.keys() != found.keys():
        return "the checkpoint was not scored in it"
    losses = {name: reference[name] - found[name] for name in reference}
    name = max(losses, key=lambda name: losses[name])
    # Plus half a unit of a score's last digit, because differences of decimal fractions are not exact.
    return None if losses[name] <= tolerance + 5e-7 else f"it loses {losses[name]:.4f} mIoU on {name}"
