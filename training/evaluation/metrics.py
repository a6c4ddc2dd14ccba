"""Scores of predicted masks against true masks, all from one integer confusion matrix.

Source: Long, Shelhamer, Darrell 2015 (arXiv:1411.4038), section 5, and Pascal VOC 2012 devkit, ``VOCevalseg.m``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.labels import IGNORE_INDEX


class ConfusionMatrix:
    """Pixel counts by true class (row) and predicted class (column) over a whole data set; 255 is ignored.

    Scores of a class that occurs in neither masks nor predictions are NaN, and means exclude it.

    Args:
        num_classes: K.
    """

    def __init__(self, num_classes: int) -> None:
        self.counts: NDArray[np.int64] = np.zeros((num_classes, num_classes), dtype=np.int64)

    def update(self, truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> None:
        """Add the pixels of one image.

        Args:
            truth: (height, width) uint8, 0..K-1 or 255.
            prediction: (height, width) uint8, 0..K-1.

        Raises:
            ValueError: the sizes differ, or a value is out of its range.
        """
        num_classes = len(self.counts)
        known = known_pixels(truth, prediction, num_classes)
        rows, columns = truth[known].astype(np.int64), prediction[known].astype(np.int64)
        self.counts += np.bincount(rows * num_classes + columns, minlength=num_classes**2).reshape(num_classes, -1)

    @property
    def true_pixels(self) -> NDArray[np.int64]:
        """Pixels of each class in the true masks, shape (K,)."""
        pixels: NDArray[np.int64] = self.counts.sum(axis=1)
        return pixels

    @property
    def pixel_accuracy(self) -> float:
        """Share of known pixels whose class was predicted correctly; NaN without any pixel."""
        return float(ratio(np.trace(self.counts), self.counts.sum()))

    @property
    def class_accuracy(self) -> NDArray[np.float64]:
        """Share of each class's true pixels that were predicted correctly, shape (K,)."""
        return ratio(np.diag(self.counts), self.counts.sum(axis=1))

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each class, shape (K,)."""
        union = self.counts.sum(axis=0) + self.counts.sum(axis=1) - np.diag(self.counts)
        return ratio(np.diag(self.counts), union)

    def miou(self, classes: Sequence[int] | None = None) -> float:
        """Return the mean IoU over ``classes`` (default: all), except those without a pixel; NaN if none remain."""
        return mean(self.iou if classes is None else self.iou[list(classes)])

    @property
    def mean_accuracy(self) -> float:
        """Mean of ``class_accuracy`` over the classes that occur."""
        return mean(self.class_accuracy)


def known_pixels(truth: NDArray[np.uint8], prediction: NDArray[np.uint8], num_classes: int) -> NDArray[np.bool_]:
    """Return where a prediction can be compared with the truth: same shape, false where the truth is 255.

    Raises:
        ValueError: the sizes differ, or a value at a known pixel is not a class.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"a mask of size {truth.shape} cannot be compared with one of size {prediction.shape}")
    known: NDArray[np.bool_] = truth != IGNORE_INDEX
    greatest = max(truth[known].max(initial=0), prediction[known].max(initial=0))
    if greatest >= num_classes:
        raise ValueError(f"index {greatest} is not a class: there are {num_classes}")
    return known


def ratio(part: NDArray[np.int64] | np.int64, whole: NDArray[np.int64] | np.int64) -> NDArray[np.float64]:
    """Return part / whole, NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)


def mean(values: NDArray[np.float64]) -> float:
    """Return the mean of the values that are not NaN; NaN if all are."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
