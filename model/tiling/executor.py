"""Carries out a plan: tiles of an image in, grids of scores out."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.tiling.plan import Plan
from model.tiling.rectangle import Rectangle
from model.tiling.score_map import ScoreMap

Forward = Callable[[NDArray[np.uint8]], Tensor]
"""(height, width, 3) uint8 RGB, sides multiples of 32 -> scores (K, height / stride, width / stride)."""


def compute_scores(
    plan: Plan, image: NDArray[np.uint8], forward: Forward, stride: int, padding_color: tuple[int, int, int]
) -> list[ScoreMap]:
    """Scores of an image: one grid if the plan is stitched, otherwise one a tile.

    Args:
        plan: for an image of this size.
        image: (height, width, 3), uint8 RGB.
        forward: predicts one tile.
        stride: the network's.
        padding_color: of the pixels that a tile has and the image has not.
    """
    maps: list[ScoreMap] = []
    whole: Tensor | None = None
    for tile in plan.tiles:
        scores = forward(_cut(image, tile.source, padding_color))
        if not plan.stitched or len(plan.tiles) == 1:
            maps.append(ScoreMap(tile.source.top, tile.source.left, scores))
            continue
        if whole is None:
            height = max(tile.core.bottom for tile in plan.tiles) // stride
            width = max(tile.core.right for tile in plan.tiles) // stride
            whole = torch.empty(len(scores), height, width, dtype=scores.dtype, device=scores.device)
            maps.append(ScoreMap(0, 0, whole))
        inner = _relative(tile.core, tile.source.top, tile.source.left)
        whole[_cells(tile.core, stride)] = scores[_cells(inner, stride)]
    return maps


def _cut(image: NDArray[np.uint8], source: Rectangle, padding_color: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The pixels of a rectangle, padded where it reaches beyond the image."""
    pixels = image[source.top : source.bottom, source.left : source.right]
    if pixels.shape[:2] == (source.height, source.width):
        return pixels
    padded = np.empty((source.height, source.width, 3), dtype=np.uint8)
    padded[:] = padding_color
    padded[: pixels.shape[0], : pixels.shape[1]] = pixels
    return padded


def _relative(rectangle: Rectangle, top: int, left: int) -> Rectangle:
    return Rectangle(rectangle.top - top, rectangle.left - left, rectangle.height, rectangle.width)


def _cells(rectangle: Rectangle, stride: int) -> tuple[slice, slice, slice]:
    return (
        slice(None),
        slice(rectangle.top // stride, rectangle.bottom // stride),
        slice(rectangle.left // stride, rectangle.right // stride),
    )
