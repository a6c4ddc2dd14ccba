"""The result of segmenting an image."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.labels import Color, Labels


@dataclass(frozen=True, slots=True)
class ClassShare:
    """One class found in an image.

    Attributes:
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

    def __add__(self, other: "Timings") -> "Timings":
        return Timings(
            self.preprocess_s + other.preprocess_s,
            self.forward_s + other.forward_s,
            self.upsample_s + other.upsample_s,
        )


NO_TIME = Timings(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Band:
    """The next rows of a prediction, and the time they took.

    Attributes:
        pixels: (channels, rows, width): uint8 class indices and, if requested, 255 times the winning class's
            probability; or each class's probability. There may be no rows: the first ones depend on pixels far below
            them.
        timings: time of the work since the last band.
    """

    pixels: NDArray[Any]
    timings: Timings

    @classmethod
    def without_rows(cls, width: int, timings: Timings) -> "Band":
        return cls(np.empty((1, 0, width), dtype=np.uint8), timings)

    @property
    def rows(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def mask(self) -> NDArray[np.uint8]:
        """(rows, width), uint8 class indices."""
        mask: NDArray[np.uint8] = self.pixels[0]
        return mask

    @property
    def confidence(self) -> NDArray[np.uint8] | None:
        """(rows, width), uint8: 255 times the winning class's probability; None unless requested, or without rows."""
        return self.pixels[1] if len(self.pixels) > 1 else None

    def cropped(self, rows: int, width: int) -> "Band":
        """Return the band's first ``rows`` rows and ``width`` columns."""
        return Band(self.pixels[:, :rows, :width], self.timings)


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The class of every pixel.

    Attributes:
        mask: (height, width), uint8 class indices.
        labels: the class table of the indices.
        timings: time of the prediction.
        confidence: (height, width), uint8: 255 times the winning class's probability; None unless requested.
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
        """Return the classes found, ordered by index."""
        counts = np.zeros(len(self.labels), dtype=np.int64)
        for row in self.mask:  # for the whole mask at once, bincount would make a copy eight times as large
            counts += np.bincount(row, minlength=len(self.labels))
        return [
            ClassShare(index, self.labels.names[index], self.labels.colors[index], pixels, pixels / self.mask.size)
            for index, pixels in enumerate(counts.tolist())
            if pixels
        ]


def collect(bands: Iterable[Band], size: tuple[int, int], labels: Labels, *, confidence: bool) -> Segmentation:
    """Join the bands of an image to its segmentation.

    Args:
        bands: all bands of the image, from top to bottom.
        size: (height, width) of the image.
        labels: the class table of the indices.
        confidence: whether the bands have the confidence.
    """
    mask = np.empty(size, dtype=np.uint8)
    confidences = np.empty(size, dtype=np.uint8) if confidence else None
    timings, top = NO_TIME, 0
    for band in bands:
        if band.mask.shape == size and band.mask.flags.c_contiguous:  # copying a large mask would double its memory
            return Segmentation(band.mask, labels, timings + band.timings, band.confidence)
        rows = slice(top, top + len(band.mask))
        mask[rows] = band.mask
        if confidences is not None and band.confidence is not None:
            confidences[rows] = band.confidence
        timings, top = timings + band.timings, rows.stop
    return Segmentation(mask, labels, timings, confidences)
