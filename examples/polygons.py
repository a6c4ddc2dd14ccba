"""Masks as polygons, for formats that have nothing else; needs scikit-image.

Polygons have no holes. A part of a mask with holes is cut vertically through them until no part has any.
"""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from skimage.measure import approximate_polygon, find_contours, label, regionprops

Polygon: TypeAlias = NDArray[np.float64]
"""(points, 2): x to the right and y down, in pixels; the first pixel's corners are (0, 0) and (1, 1). Not closed."""

_LEAST_POINTS = 3
_COLLINEAR = 1e-6


def polygons(mask: NDArray[np.bool_], stray: float = 0) -> list[Polygon]:
    """Outlines of a mask's parts, which do not overlap and together make up the mask.

    They run halfway between the centres of pixels inside and outside the mask.

    Args:
        mask: (height, width) bool.
        stray: greatest distance in pixels by which an outline may be simplified to have fewer points.
    """
    return [_outline(part, stray) + np.array((left, top)) for top, left, part in _parts(mask)]


def _parts(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
    """Yield connected parts without holes: top, left, and the part's own mask."""
    for region in regionprops(label(mask, connectivity=1)):
        top, left = region.bbox[:2]
        _, columns = np.nonzero(region.image_filled & ~region.image)
        if not columns.size:
            yield top, left, region.image
            continue
        cut = int(np.sort(columns)[columns.size // 2])
        for start, half in ((0, region.image[:, :cut]), (cut, region.image[:, cut:])):
            for part_top, part_left, part in _parts(half):
                yield top + part_top, left + start + part_left, part


def _outline(part: NDArray[np.bool_], stray: float) -> Polygon:
    padded = np.pad(part, 1).astype(np.float64)
    (outline,) = find_contours(padded, level=0.5)
    points = approximate_polygon(outline, max(stray, _COLLINEAR))[:-1]
    if len(points) < _LEAST_POINTS:
        points = outline[:-1]
    # A pixel's centre is half a pixel from its corner, and the padding shifts by one.
    shifted: Polygon = points[:, ::-1] - 0.5
    return shifted
