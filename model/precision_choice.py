"""The choice of ``auto``: the fastest precision whose masks agree, by the checkpoint's scores and by measurement."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from model.capabilities import available_precisions
from model.checkpoint import Checkpoint
from model.precision import Precision

DEFAULT_TOLERANCE = 0.005
"""Greatest loss of mIoU against float32 at which masks are said to agree."""

_ORDER = (Precision.FLOAT32, Precision.BFLOAT16, Precision.INT8)
"""From the most exact: a later precision is taken only if it is clearly faster."""

_MAX_RATIO = 0.9
"""Seconds of a precision to those of the one before it: nearer to 1, like machines would choose by chance."""

_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Candidates:
    """The precisions to choose from.

    Attributes:
        precisions: those that the device has and the checkpoint scores well in; float32 first.
        rejections: reason for which each other precision is none of them.
    """

    precisions: tuple[Precision, ...]
    rejections: Mapping[Precision, str]

    def reject(self, precision: Precision, reason: str) -> "Candidates":
        """The candidates without ``precision``."""
        others = tuple(other for other in self.precisions if other is not precision)
        return Candidates(others, {**self.rejections, precision: reason})


def find_candidates(checkpoint: Checkpoint, device: torch.device, tolerance: float = DEFAULT_TOLERANCE) -> Candidates:
    """The precisions that a device has and a checkpoint scores well in.

    Args:
        checkpoint: a checkpoint; without scores by precision only float32 is left.
        device: the device to compute on.
        tolerance: greatest loss of mIoU against float32, on each list of images.
    """
    rejections: dict[Precision, str] = {}
    for precision in _ORDER[1:]:
        rejection = _rejection(precision, checkpoint, device, tolerance)
        if rejection is not None:
            rejections[precision] = rejection
    return Candidates(tuple(precision for precision in _ORDER if precision not in rejections), rejections)


def fastest(seconds: Mapping[Precision, float]) -> Precision:
    """The precision to take, by the seconds that each takes for the same photograph; float32 if there are none."""
    chosen = Precision.FLOAT32
    for precision in _ORDER:
        if precision in seconds and seconds[precision] < _MAX_RATIO * seconds[chosen]:
            chosen = precision
    return chosen


def measure(predict: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """The least seconds of a few predictions."""
    seconds = []
    for _ in range(_ROUNDS):
        started = clock()
        predict()
        seconds.append(clock() - started)
    return min(seconds)


def explain(candidates: Candidates, seconds: Mapping[Precision, float]) -> str:
    """Why a precision was taken: what was measured, and why it was not measured in the others."""
    times = ", ".join(f"{precision} {seconds[precision] * 1e3:.0f} ms" for precision in _ORDER if precision in seconds)
    measured = [f"measured on a photograph: {times}"] if times else []
    return "; ".join([*measured, *(f"no {precision}: {why}" for precision, why in candidates.rejections.items())])


def _rejection(precision: Precision, checkpoint: Checkpoint, device: torch.device, tolerance: float) -> str | None:
    if precision not in available_precisions(device):
        return f"device '{device}' does not compute in it"
    if precision is Precision.INT8 and not checkpoint.activation_ranges:
        return "the checkpoint has no ranges for it"
    scores = checkpoint.summary.precision_scores
    reference, found = scores.get(Precision.FLOAT32, {}), scores.get(precision, {})
    if not reference or reference.keys() != found.keys():
        return "the checkpoint was not scored in it"
    losses = {name: reference[name] - found[name] for name in reference}
    name = max(losses, key=lambda name: losses[name])
    # Half a unit of the last digit of a score, for the differences of decimal fractions are not exact.
    return None if losses[name] <= tolerance + 5e-7 else f"it loses {losses[name]:.4f} mIoU on {name}"
