"""The images on which a network does best and worst."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import ConfusionMatrix


@dataclass(frozen=True, slots=True)
class Ranking:
    """Numbers of the images at both ends; none is at both.

    Attributes:
        best: the best first.
        worst: the worst first.
    """

    best: tuple[int, ...]
    worst: tuple[int, ...]


def image_miou(truth: NDArray[np.uint8], prediction: NDArray[np.uint8], num_classes: int) -> float:
    """Mean IoU of one image, over the classes that its truth or its prediction holds; NaN if all of it is void.

    Args:
        truth: (height, width) uint8, 0..K-1 or 255, which is left out.
        prediction: (height, width) uint8, 0..K-1.
        num_classes: K.

    Raises:
        ValueError: the sizes differ, or a value is out of its range.
    """
    matrix = ConfusionMatrix(num_classes)
    matrix.update(truth, prediction)
    return matrix.miou()


def rank(scores: Sequence[float], best: int, worst: int) -> Ranking:
    """The ``best`` highest scores and the ``worst`` lowest of the others; of equal ones the first is better.

    Args:
        scores: one an image, NaN for those to be left out.
        best: how many are wanted; fewer are given where there are no more.
        worst: how many of the lowest are wanted; fewer are given where there are no more.
    """
    scored = [number for number, score in enumerate(scores) if not np.isnan(score)]
    order = sorted(scored, key=lambda number: -scores[number])
    return Ranking(tuple(order[:best]), tuple(order[best:][::-1][:worst]))
