"""The images on which a network scores best and worst."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import ConfusionMatrix


@dataclass(frozen=True, slots=True)
class Ranking:
    """Indices of the best and the worst images; no image is in both.

    Attributes:
        best: indices of the best images, best first.
        worst: indices of the worst images, worst first.
    """

    best: tuple[int, ...]
    worst: tuple[int, ...]


def image_miou(truth: NDArray[np.uint8], prediction: NDArray[np.uint8], num_classes: int) -> float:
    """Compute the mean IoU of one image, over the classes in its truth or its prediction; NaN if it is all void.

    Args:
        truth: (height, width) uint8, 0..K-1 or 255, which is ignored.
        prediction: (height, width) uint8, 0..K-1.
        num_classes: K.

    Raises:
        ValueError: the sizes differ, or a value is out of its range.
    """
    matrix = ConfusionMatrix(num_classes)
    matrix.update(truth, prediction)
    return matrix.miou()


def rank(scores: Sequence[float], best: int, worst: int) -> Ranking:
    """Select the ``best`` highest scores and the ``worst`` lowest of the others; of equal scores, the first is better.

    Args:
        scores: one score per image, NaN for images to skip.
        best: maximum number of the highest scores.
        worst: maximum number of the lowest scores.
    """
    scored = [number for number, score in enumerate(scores) if not np.isnan(score)]
    order = sorted(scored, key=lambda number: -scores[number])
    return Ranking(tuple(order[:best]), tuple(order[best:][::-1][:worst]))
