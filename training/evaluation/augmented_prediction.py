"""Test-time augmentation: prediction from several views of an image, mirrored and at several scales."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from torchvision.transforms.v2 import functional as image_functional

from model.segmenter import Segmenter
from model.tiling import Tiling


@dataclass(frozen=True, slots=True)
class Views:
    """The views of an image whose probabilities are averaged.

    Attributes:
        scales: scale factors of the image, one view each.
        flip: whether to add each view's mirror image.
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    @property
    def plain(self) -> bool:
        """Whether the image itself is the only view."""
        return self.scales == (1.0,) and not self.flip


PLAIN = Views()
"""The image itself as the only view."""


def predict_mask(
    segmenter: Segmenter, image: NDArray[np.uint8], tiling: Tiling = Tiling.AUTO, views: Views = PLAIN
) -> NDArray[np.uint8]:
    """Predict the class of every pixel from the mean of the views' probabilities.

    If the image itself is the only view, this is ``segmenter.segment``. Otherwise memory grows with the image: three
    arrays of K float32 per pixel are held at once, larger ones if a scale is above 1.

    Args:
        segmenter: segmenter to predict with.
        image: (height, width, 3), uint8 RGB.
        tiling: tiling of each view.
        views: views of the image.

    Returns:
        (height, width), uint8 class indices.

    Raises:
        TilingError: a view is too large for this tiling.
    """
    if views.plain:
        return segmenter.segment(image, tiling=tiling).mask
    total = torch.zeros(len(segmenter.checkpoint.labels), *image.shape[:2])
    for probabilities in _views_probabilities(segmenter, image, tiling, views):
        total += probabilities
    return total.argmax(dim=0).to(torch.uint8).numpy()


def _views_probabilities(
    segmenter: Segmenter, image: NDArray[np.uint8], tiling: Tiling, views: Views
) -> Iterator[torch.Tensor]:
    """Yield each view's probabilities, (K, height, width) float32, resampled to the image's pixels."""
    for scale in views.scales:
        view = _resize(image, scale)
        probabilities = torch.from_numpy(segmenter.probabilities(view, tiling=tiling))
        yield _laid_over(probabilities, image.shape[:2])
        if views.flip:
            mirrored = torch.from_numpy(segmenter.probabilities(view[:, ::-1], tiling=tiling))
            yield _laid_over(mirrored.flip(-1), image.shape[:2])


def _resize(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Resize an image as training does; to at least 1 x 1."""
    if scale == 1:
        return image
    size = [max(1, round(side * scale)) for side in image.shape[:2]]
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)
    resized: NDArray[np.uint8] = image_functional.resize(pixels, size, antialias=True).permute(1, 2, 0).numpy()
    return resized


def _laid_over(probabilities: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    if probabilities.shape[1:] == size:
        return probabilities
    return functional.interpolate(probabilities[None], size, mode="bilinear", align_corners=False)[0]
