"""The result of segmenting an image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.labels import Color, Labels


@dataclass(frozen=True, slots=True)
class ClassShare:
    """One class found in an image.

    Attributes:
        index, name, color: of the class.
        pixels: number of its pixels, at least 1.
        fraction: its share of the image, 0..1.
    """

    index: int
    name: str
    color: Color
    pixels: int
    fraction: float


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds spent on each stage of a prediction."""

    preprocess_s: float
    forward_s: float
    upsample_s: float


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The class of every pixel.

    Attributes:
        mask: (height, width), uint8 class indices.
        labels: what the indices mean.
        timings: of the prediction.
        confidence: (height, width), uint8: 255 times the winning class's probability; None unless asked for.
    """

    mask: NDArray[np.uint8]
    labels: Labels
    timings: Timings
    confidence: NDArray[np.uint8] | None = None

    @property
    def height(self) -> int:
        return int(self.mask.shape[0])

    @property
    def width(self) -> int:
        return int(self.mask.shape[1])

    def classes(self) -> list[ClassShare]:
        """The classes found, by index."""
        counts = np.zeros(len(self.labels), dtype=np.int64)
        for row in self.mask:  # of the whole mask at once, bincount would make a copy eight times as large
            counts += np.bincount(row, minlength=len(self.labels))
        return [
            ClassShare(index, self.labels.names[index], self.labels.colors[index], pixels, pixels / self.mask.size)
            for index, pixels in enumerate(counts.tolist())
            if pixels
        ]
