"""Pictures for people: rows of image | prediction | ground truth."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.labels import Labels

_GAP = 8


def side_by_side(panels: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Panels of one height, (height, width, 3) uint8 RGB each, next to each other on white."""
    height = panels[0].shape[0]
    gap = np.full((height, _GAP, 3), 255, dtype=np.uint8)
    parts = [part for panel in panels for part in (gap, panel)][1:]
    return np.concatenate(parts, axis=1)


def one_below_the_other(rows: Sequence[NDArray[np.uint8]]) -> Image.Image:
    """Rows of any width below each other on white."""
    width = max(row.shape[1] for row in rows)
    height = sum(row.shape[0] for row in rows) + _GAP * (len(rows) - 1)
    sheet = Image.new("RGB", (width, height), "white")
    top = 0
    for row in rows:
        sheet.paste(Image.fromarray(row), (0, top))
        top += row.shape[0] + _GAP
    return sheet


def comparison(
    image: NDArray[np.uint8], prediction: NDArray[np.uint8], truth: NDArray[np.uint8] | None, labels: Labels
) -> NDArray[np.uint8]:
    """One row: image | prediction | ground truth, in the classes' colours."""
    masks = [prediction] if truth is None else [prediction, truth]
    return side_by_side([image, *(labels.colormap(mask) for mask in masks)])
