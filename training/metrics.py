"""Scores of predicted masks against true ones, all from one integer confusion matrix."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.labels import IGNORE_INDEX


class ConfusionMatrix:
    """Counts of pixels by true class (row) and predicted class (column) over a whole data set; 255 is left out.

    Measures of a class that occurs in neither masks nor predictions are NaN, and means leave it out.

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
        if truth.shape != prediction.shape:
            raise ValueError(f"a mask of size {truth.shape} cannot be compared with one of size {prediction.shape}")
        known = truth != IGNORE_INDEX
        rows, columns = truth[known].astype(np.int64), prediction[known].astype(np.int64)
        num_classes = len(self.counts)
        if rows.size and max(rows.max(), columns.max()) >= num_classes:
            raise ValueError(f"index {max(rows.max(), columns.max())} is no class: there are {num_classes}")
        self.counts += np.bincount(rows * num_classes + columns, minlength=num_classes**2).reshape(num_classes, -1)

    def __add__(self, other: "ConfusionMatrix") -> "ConfusionMatrix":
        total = ConfusionMatrix(len(self.counts))
        total.counts = self.counts + other.counts
        return total

    @property
    def true_pixels(self) -> NDArray[np.int64]:
        """Pixels of each class in the true masks, shape (K,)."""
        pixels: NDArray[np.int64] = self.counts.sum(axis=1)
        return pixels

    @property
    def pixel_accuracy(self) -> float:
        """Share of known pixels whose class was predicted right; NaN without any pixel."""
        return float(_ratio(np.trace(self.counts), self.counts.sum()))

    @property
    def class_accuracy(self) -> NDArray[np.float64]:
        """Share of each class's true pixels that were predicted right, shape (K,)."""
        return _ratio(np.diag(self.counts), self.counts.sum(axis=1))

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each class, shape (K,)."""
        union = self.counts.sum(axis=0) + self.counts.sum(axis=1) - np.diag(self.counts)
        return _ratio(np.diag(self.counts), union)

    def miou(self, classes: Sequence[int] | None = None) -> float:
        """Mean IoU over ``classes`` (default: all), those without a pixel left out; NaN if that leaves none."""
        iou = self.iou if classes is None else self.iou[list(classes)]
        return float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan")

    @property
    def mean_accuracy(self) -> float:
        """Mean of ``class_accuracy`` over the classes that occur."""
        accuracy = self.class_accuracy
        return float(np.nanmean(accuracy)) if np.isfinite(accuracy).any() else float("nan")


def _ratio(part: NDArray[np.int64] | np.int64, whole: NDArray[np.int64] | np.int64) -> NDArray[np.float64]:
    """Part / whole, NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
