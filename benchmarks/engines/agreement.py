"""How close an engine's scores are to the reference's, and how many pixels change class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.engines.candidate import Engine
from model.preprocessing import Preprocessing
from model.upsampling.argmax import winning_classes
from training.data.dataset import VocDataset
from training.export.calibration import network_input


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of an engine's scores with the reference's, over photographs.

    Attributes:
        difference: greatest absolute difference of a score.
        largest: greatest absolute score of the reference.
        differing: share of pixels whose class differs.
    """

    difference: float
    largest: float
    differing: float


def agreement(
    engine: Engine, reference: Engine, dataset: VocDataset, count: int, preprocessing: Preprocessing, stride: int
) -> Agreement:
    """Compare two engines on ``count`` photographs of a list."""
    difference, largest, pixels, differing = 0.0, 0.0, 0, 0
    for index in dataset.spread(count):
        image = dataset[index].image
        images = network_input(image, preprocessing)
        expected, found = reference(images), engine(images)
        # Unlike max, numpy's maximum keeps NaN.
        difference = float(np.maximum(difference, (found - expected).abs().max().item()))
        largest = float(np.maximum(largest, expected.abs().max().item()))
        pixels += image.shape[0] * image.shape[1]
        differing += int((_winners(found, stride, image) != _winners(expected, stride, image)).sum())
    return Agreement(difference, largest, differing / pixels)


def _winners(scores: Tensor, stride: int, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class of each pixel of an image, (height, width) uint8, from scores (1, K, height / stride, width / stride)."""
    mask: NDArray[np.uint8] = winning_classes(scores, stride)[0, : image.shape[0], : image.shape[1]].numpy()
    return mask
