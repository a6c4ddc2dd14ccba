"""Class tables: names and colours of the classes, and conversion between colours and class indices.

Source of the VOC table and its colour rule: Pascal VOC 2012 devkit, ``VOClabelcolormap.m``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.errors import LabelsError

Color = tuple[int, int, int]

BACKGROUND = 0
"""Index of the class of pixels that show no object."""

IGNORE_INDEX = 255
"""Index of pixels that belong to no class: never trained on, never scored, never predicted."""

_NUM_COLORS = 256**3


def voc_color(index: int) -> Color:
    """Return the colour of a class index in VOC's colour map.

    The bits of the index are dealt out in turn to red, green and blue, most significant colour bit first.

    Args:
        index: 0..255. 255, void, gives (224, 224, 192).
    """
    red = green = blue = 0
    for bit in range(7, -1, -1):
        red |= (index & 1) << bit
        green |= (index >> 1 & 1) << bit
        blue |= (index >> 2 & 1) << bit
        index >>= 3
    return red, green, blue


@dataclass(frozen=True)
class Labels:
    """The classes that a network distinguishes, in the order of its output channels.

    Attributes:
        names: one name per class, all different; 1 to 255 of them.
        colors: one (red, green, blue) in 0..255 per class, all different, none of them ``void_color``.
        void_color: colour of ``IGNORE_INDEX`` in label pictures.

    Raises:
        LabelsError: the table is inconsistent.
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...]
    void_color: Color = field(default=voc_color(IGNORE_INDEX))

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= IGNORE_INDEX:
            raise LabelsError(f"a class table has 1 to {IGNORE_INDEX} classes, not {len(self.names)}")
        if len(self.names) != len(self.colors):
            raise LabelsError(f"{len(self.names)} class names, but {len(self.colors)} colours")
        _require_unique("class names", self.names)
        _require_unique("colours, the void colour included,", (*self.colors, self.void_color))
        for color in (*self.colors, self.void_color):
            if len(color) != 3 or not all(0 <= channel <= 255 for channel in color):
                raise LabelsError(f"{color} is not a colour: it must be three numbers in 0..255")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def background_index(self) -> int | None:
        """Index of the class named ``background``; None if there is none."""
        return self.names.index("background") if "background" in self.names else None

    @cached_property
    def palette(self) -> NDArray[np.uint8]:
        """Colour of each index, (256, 3), uint8 RGB; VOC's own colours between the last class and void."""
        palette = np.array([voc_color(index) for index in range(256)], dtype=np.uint8)
        palette[: len(self)] = self.colors
        palette[IGNORE_INDEX] = self.void_color
        return palette

    @cached_property
    def _index_of_color(self) -> NDArray[np.int16]:
        """Class index of each of the 256^3 colours; -1 for colours of no class."""
        table = np.full(_NUM_COLORS, -1, dtype=np.int16)
        table[_color_codes(np.array(self.colors, dtype=np.uint8))] = np.arange(len(self))
        table[_color_codes(np.array(self.void_color, dtype=np.uint8))] = IGNORE_INDEX
        return table

    def indices(self, colormap: NDArray[np.uint8], *, unmapped_as_void: bool = False) -> NDArray[np.uint8]:
        """Return the class index of each pixel of a label picture.

        Args:
            colormap: (height, width, 3), uint8 RGB.
            unmapped_as_void: map colours that are not in the table to ``IGNORE_INDEX`` instead of raising.

        Returns:
            (height, width), uint8: 0..K-1, or 255 for void.

        Raises:
            LabelsError: a colour is not in the table; the message gives the first one, its position and the number of
                such pixels.
        """
        if colormap.dtype != np.uint8 or colormap.ndim != 3 or colormap.shape[2] != 3:
            raise LabelsError(f"a label picture is (height, width, 3) uint8, not {colormap.shape} {colormap.dtype}")
        indices = self._index_of_color[_color_codes(colormap)]
        unmapped = indices < 0
        if not unmapped_as_void and unmapped.any():
            row, column = np.argwhere(unmapped)[0].tolist()
            raise LabelsError(
                f"colour {tuple(colormap[row, column].tolist())} at row {row}, column {column} is not the colour of a "
                f"class ({int(unmapped.sum())} such pixels)"
            )
        return np.where(unmapped, IGNORE_INDEX, indices).astype(np.uint8)

    def colormap(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the label picture of a mask: (height, width) uint8 class indices -> (height, width, 3) uint8 RGB.

        Raises:
            LabelsError: an index is neither a class nor void.
        """
        foreign = np.setdiff1d(np.unique(mask), [*range(len(self)), IGNORE_INDEX])
        if foreign.size:
            raise LabelsError(
                f"index {int(foreign[0])} is not a class: there are {len(self)}, and {IGNORE_INDEX} for void"
            )
        return self.palette[mask]


def _color_codes(colors: NDArray[np.uint8]) -> NDArray[np.int32]:
    """One number in 0..256^3-1 per colour: (..., 3) uint8 -> (...) int32."""
    wide = colors.astype(np.int32)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]


def _require_unique(what: str, values: Sequence[object]) -> None:
    repeated = [value for value in values if values.count(value) > 1]
    if repeated:
        raise LabelsError(f"{what} must all be different: {repeated[0]} occurs {values.count(repeated[0])} times")


VOC_NAMES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)

VOC = Labels(names=VOC_NAMES, colors=tuple(voc_color(index) for index in range(len(VOC_NAMES))))
"""The 21 classes of Pascal VOC 2012, background first."""
