"""The result of segmenting an image."""

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.client import images
from app.client.errors import UnexpectedResponseError
from app.client.masks import count_pixels

Color: TypeAlias = tuple[int, int, int]
"""Red, green, blue, 0..255 each."""

_BACKGROUND = "background"
_ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """A class of the network, or void.

    Attributes:
        index: value in masks.
        name: name of the class.
        color: colour in images.
    """

    index: int
    name: str
    color: Color


@dataclass(frozen=True, slots=True)
class ClassShare:
    """A class found in an image.

    Attributes:
        index, name, color: as in ``ClassInfo``.
        pixels: number of pixels, at least 1.
        fraction: fraction of the image's pixels, 0..1.
    """

    index: int
    name: str
    color: Color
    pixels: int
    fraction: float


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """The class of every pixel of an image.

    Attributes:
        mask: (height, width), uint8 class indices of the upright image.
        classes: the classes found, by index.
        checkpoint: SHA-256 of the weights that made the mask.
        request_id: the request's ID in the service's log.
        stages: milliseconds per stage of the service; empty for large images, whose mask is streamed.
    """

    mask: NDArray[np.uint8] = field(repr=False)
    classes: tuple[ClassShare, ...]
    checkpoint: str
    request_id: str | None
    stages: dict[str, float]
    _image: bytes = field(repr=False)

    def overlay(self, alpha: float = 0.5) -> Image.Image:
        """Blend the classes' colours into the image that was sent; background stays unchanged.

        Args:
            alpha: opacity of the colours, 0..1.

        Returns:
            An RGB image of the mask's size.

        Raises:
            ValueError: ``alpha`` is out of range, or Pillow does not read the image's format here; in that case, the
                service can make the overlay: `segment_bytes(image, format="overlay")`.
        """
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must be 0..1, not {alpha}")
        picture = images.decode(self._image)
        height, width = self.mask.shape
        if picture.size != (width, height):
            raise ValueError(f"the image is {picture.width} x {picture.height} here, the mask {width} x {height}")
        palette, painted = self._paint()
        for top in range(0, height, _ROWS_AT_ONCE):
            rows = self.mask[top : top + _ROWS_AT_ONCE]
            box = (0, top, width, top + len(rows))
            colored = Image.blend(picture.crop(box), Image.fromarray(palette[rows]), alpha)
            picture.paste(colored, box, Image.fromarray(painted[rows]))
        return picture

    def _paint(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Each index's colour, (256, 3) uint8, and whether it is painted, (256,) uint8: 255 or 0."""
        palette, painted = np.zeros((256, 3), dtype=np.uint8), np.zeros(256, dtype=np.uint8)
        for share in self.classes:
            palette[share.index] = share.color
            painted[share.index] = 0 if share.name == _BACKGROUND else 255
        return palette, painted


def shares(mask: NDArray[np.uint8], classes: tuple[ClassInfo, ...]) -> tuple[ClassShare, ...]:
    """The classes found in a mask, by index.

    Raises:
        UnexpectedResponseError: the mask has an index that belongs to no class.
    """
    by_index = {known.index: known for known in classes}
    found = [(index, pixels) for index, pixels in enumerate(count_pixels(mask)) if pixels]
    unknown = [index for index, _ in found if index not in by_index]
    if unknown:
        raise UnexpectedResponseError(f"the mask has indices {unknown}, which are not among the service's classes")
    return tuple(
        ClassShare(index, by_index[index].name, by_index[index].color, pixels, pixels / mask.size)
        for index, pixels in found
    )
