"""Panels of a contact sheet: images, masks and their errors, shrunk to its size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from model.labels import IGNORE_INDEX, Color, Labels

Size = tuple[int, int]
"""Height and width in pixels."""

_OUTLINE = (255, 255, 255)
_RIGHT = (184, 184, 184)
_WRONG = (214, 40, 40)
_SEAM = 2


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture of a sheet.

    Attributes:
        picture: RGB picture.
        caption: text below the picture.
        indices: class indices whose colours it shows, 255 for void.
        meanings: its other colours by their meanings.
    """

    picture: Image.Image
    caption: str = ""
    indices: frozenset[int] = frozenset()
    meanings: Mapping[str, Color] = field(default_factory=dict)


def photograph_panel(image: NDArray[np.uint8], box: Size, caption: str = "") -> Panel:
    """Make a panel of an image, (height, width, 3) uint8 RGB, shrunk to fit into ``box``."""
    picture = Image.fromarray(image)
    return Panel(picture.resize(_shrunk(picture, box), Image.Resampling.LANCZOS), caption)


def mask_panel(
    mask: NDArray[np.uint8],
    labels: Labels,
    box: Size,
    caption: str = "",
    truth: NDArray[np.uint8] | None = None,
) -> Panel:
    """Make a panel of a mask in its classes' colours, shrunk to fit into ``box``, with an outline around void.

    Args:
        mask: (height, width) uint8 class indices, 255 for void.
        labels: class table of the mask.
        box: maximum size of the panel.
        caption: text below the panel.
        truth: the mask whose void is outlined, (height, width) uint8; default: ``mask`` itself.
    """
    small = _shrunk_mask(mask, box)
    void = (small if truth is None else _shrunk_mask(truth, box)) == IGNORE_INDEX
    colors = labels.colormap(small)
    colors[_outline(void)] = _OUTLINE
    return Panel(Image.fromarray(colors), caption, frozenset(np.unique(small).tolist()))


def errors_panel(
    prediction: NDArray[np.uint8], truth: NDArray[np.uint8], labels: Labels, box: Size, caption: str = ""
) -> Panel:
    """Make a panel of a prediction's errors, shrunk to fit into ``box``: right is grey, wrong red, void pale.

    Args:
        prediction: (height, width) uint8 class indices.
        truth: (height, width) uint8 class indices, 255 for void.
        labels: class table of both masks.
        box: maximum size of the panel.
        caption: text below the panel.
    """
    seen, known = _shrunk_mask(prediction, box), _shrunk_mask(truth, box)
    void = known == IGNORE_INDEX
    colors = np.full((*known.shape, 3), _RIGHT, dtype=np.uint8)
    colors[seen != known] = _WRONG
    colors[void] = labels.void_color
    indices = frozenset({IGNORE_INDEX} if void.any() else ())
    return Panel(Image.fromarray(colors), caption, indices, {"right": _RIGHT, "wrong": _WRONG})


def joined(panels: Sequence[Panel], caption: str = "") -> Panel:
    """Join panels of equal height side by side to one panel, with its own caption."""
    pictures = [panel.picture for panel in panels]
    width = sum(picture.width + _SEAM for picture in pictures) - _SEAM
    whole = Image.new("RGB", (width, pictures[0].height), "white")
    left = 0
    for picture in pictures:
        whole.paste(picture, (left, 0))
        left += picture.width + _SEAM
    indices = frozenset[int]().union(*(panel.indices for panel in panels))
    meanings = {name: color for panel in panels for name, color in panel.meanings.items()}
    return Panel(whole, caption, indices, meanings)


def _outline(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the pixels of a region that have a neighbour outside it: (height, width) bool."""
    outline: NDArray[np.bool_] = region & ~ndimage.binary_erosion(region, border_value=1)
    return outline


def _shrunk_mask(mask: NDArray[np.uint8], box: Size) -> NDArray[np.uint8]:
    picture = Image.fromarray(mask)
    return np.asarray(picture.resize(_shrunk(picture, box), Image.Resampling.NEAREST))


def _shrunk(picture: Image.Image, box: Size) -> tuple[int, int]:
    """Pillow's (width, height) of a picture shrunk to fit into a box; pictures are never enlarged."""
    scale = min(1.0, box[0] / picture.height, box[1] / picture.width)
    return max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
