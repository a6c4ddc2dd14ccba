"""Boundary IoU: how well the outlines of predicted masks follow the true ones.

Source: Cheng, Girshick, Dollar, Berg, Kirillov 2021, "Boundary IoU: Improving Object-Centric Image Segmentation
Evaluation" (arXiv:2103.16562), equation 2, and its reference implementation, ``mask_to_boundary``: the boundary of a
mask is the mask minus its erosion by as many 3 x 3 squares as the band is wide; the image's border bounds a mask like
any pixel outside it; the width is 2% of the image's diagonal, rounded, at least 1.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from model.labels import IGNORE_INDEX
from training.evaluation.metrics import known_pixels, mean, ratio

WIDTH = 0.02
"""Width of the band as a share of the image's diagonal."""


class BoundaryIoU:
    """Boundary IoU of each class over a whole data set: pixels are counted over all images, then divided.

    Pixels that are 255 in the truth belong neither to a true nor to a predicted mask, so that predictions there have no
    effect and a perfect prediction scores 1. Classes that occur in neither mask are NaN.

    Args:
        num_classes: K.
    """

    def __init__(self, num_classes: int) -> None:
        self._intersection = np.zeros(num_classes, dtype=np.int64)
        self._union = np.zeros(num_classes, dtype=np.int64)

    def update(self, truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> None:
        """Add the pixels of one image.

        Args:
            truth: (height, width) uint8, 0..K-1 or 255.
            prediction: (height, width) uint8, 0..K-1.

        Raises:
            ValueError: the sizes differ, or a value is out of its range.
        """
        known = known_pixels(truth, prediction, len(self._union))
        seen = np.where(known, prediction, np.uint8(IGNORE_INDEX))
        width = band_width(*truth.shape)
        in_truth, in_prediction = boundaries(truth, width) & known, boundaries(seen, width) & known
        intersection = self._count(truth[in_truth & in_prediction & (truth == seen)])
        self._intersection += intersection
        self._union += self._count(truth[in_truth]) + self._count(seen[in_prediction]) - intersection

    def _count(self, classes: NDArray[np.uint8]) -> NDArray[np.int64]:
        return np.bincount(classes, minlength=len(self._union))

    @property
    def iou(self) -> NDArray[np.float64]:
        """Boundary IoU of each class, shape (K,)."""
        return ratio(self._intersection, self._union)

    def mean(self, classes: Sequence[int]) -> float:
        """Return the mean over ``classes``, except those without a pixel; NaN if none remain."""
        return mean(self.iou[list(classes)])


def band_width(height: int, width: int) -> int:
    """Return the width of the band in pixels, for an image of this size."""
    return max(1, round(WIDTH * float(np.hypot(height, width))))


def boundaries(mask: NDArray[np.uint8], width: int) -> NDArray[np.bool_]:
    """Find the pixels in the boundary of their own class's mask.

    Erosion removes a pixel from its class's mask if the square of side 2 ``width`` + 1 around it holds any other class,
    so one pass over the indices handles all classes.

    Args:
        mask: (height, width) uint8.
        width: width of the band in pixels.

    Returns:
        (height, width) bool.
    """
    size = 2 * width + 1
    least = ndimage.minimum_filter(mask, size, mode="constant", cval=IGNORE_INDEX)
    greatest = ndimage.maximum_filter(mask, size, mode="constant", cval=IGNORE_INDEX)
    mixed: NDArray[np.bool_] = least != greatest
    return mixed
