"""The result of segmenting one image."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.labels import Color
from model.segmentation import ClassShare


@dataclass(frozen=True, slots=True)
class Result:
    """The size of an image and the classes found in it.

    Attributes:
        height, width: size of the image in pixels.
        classes: the classes found, by index; None if the output does not contain them and they are not needed.
    """

    height: int
    width: int
    classes: tuple[ClassShare, ...] | None


@dataclass(frozen=True, slots=True)
class NamedClass:
    """A class's name and colour."""

    name: str
    color: Color


class PixelCounter:
    """Counts the pixels of each class, some rows at a time."""

    def __init__(self) -> None:
        self._counts = np.zeros(256, dtype=np.int64)

    def add(self, mask: NDArray[np.uint8]) -> None:
        """Count rows, (rows, width) uint8 class indices."""
        for row in mask:  # for all rows at once, bincount would make a copy eight times as large
            self._counts += np.bincount(row, minlength=256)

    def shares(self, classes: Mapping[int, NamedClass]) -> tuple[ClassShare, ...]:
        """The classes found, by index.

        Raises:
            KeyError: a pixel's index belongs to no class.
        """
        total = int(self._counts.sum())
        return tuple(
            ClassShare(index, classes[index].name, classes[index].color, pixels, pixels / total)
            for index, pixels in enumerate(self._counts.tolist())
            if pixels
        )
