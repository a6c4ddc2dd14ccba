"""How near an engine's scores come to the reference's, and what that does to masks."""

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from benchmarks.engines.candidate import Engine
from benchmarks.engines.photographs import prepare, winners
from model.preprocessing import Preprocessing
from training.dataset import VocDataset
from training.metrics import ConfusionMatrix


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of an engine with the reference, over photographs.

    Attributes:
        difference: greatest absolute difference of a score.
        largest: greatest absolute score of the reference.
        differing: share of the pixels whose winning class is another.
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
        images = prepare(image, preprocessing)
        expected, found = reference(images), engine(images)
        # Unlike max, numpy's maximum keeps NaN.
        difference = float(np.maximum(difference, (found - expected).abs().max().item()))
        largest = float(np.maximum(largest, expected.abs().max().item()))
        pixels += image.shape[0] * image.shape[1]
        differing += int((winners(found, stride, image) != winners(expected, stride, image)).sum())
    return Agreement(difference, largest, differing / pixels)


def confusion(
    engine: Engine, dataset: VocDataset, preprocessing: Preprocessing, stride: int, name: str
) -> ConfusionMatrix:
    """Of an engine's masks with the true ones, over a whole list at original resolution."""
    matrix = ConfusionMatrix(len(dataset.labels))
    for index in tqdm(range(len(dataset)), unit="image", desc=name, leave=False):
        sample = dataset[index]
        scores = engine(prepare(sample.image, preprocessing))
        matrix.update(sample.mask, winners(scores, stride, sample.image))
    return matrix
