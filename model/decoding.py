"""From grids of scores to the mask, in bands of rows: a mask needs no logits of the whole image at once."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.tiling import ScoreMap
from model.upsampling import BilinearUpsampling, Upsampling
from model.upsampling.winners import winning_classes

_MAX_BAND_NUMBERS = 1 << 23
"""Logits in a band of rows; 32 MiB in float32."""


def decode_mask(maps: Sequence[ScoreMap], upsampling: Upsampling, height: int, width: int) -> NDArray[np.uint8]:
    """Winning class of each pixel, (height, width) uint8; averages logits where several maps cover a pixel."""
    if len(maps) == 1 and isinstance(upsampling, BilinearUpsampling):
        return _decode_bilinear(maps[0].scores, upsampling.factor, height, width)
    mask = np.empty((height, width), dtype=np.uint8)
    for top, bottom, logits in _bands(maps, upsampling, height, width):
        mask[top:bottom] = logits.argmax(dim=0).to(torch.uint8).cpu().numpy()
    return mask


def decode_confidence(maps: Sequence[ScoreMap], upsampling: Upsampling, height: int, width: int) -> NDArray[np.uint8]:
    """255 times the probability of each pixel's winning class, (height, width) uint8."""
    confidence = np.empty((height, width), dtype=np.uint8)
    for top, bottom, logits in _bands(maps, upsampling, height, width):
        winning = logits.softmax(dim=0).amax(dim=0)
        confidence[top:bottom] = winning.mul_(255).round_().to(torch.uint8).cpu().numpy()
    return confidence


def decode_probabilities(
    maps: Sequence[ScoreMap], upsampling: Upsampling, height: int, width: int
) -> NDArray[np.float32]:
    """Probability of every class at each pixel, (K, height, width) float32, 0..1."""
    probabilities = np.empty((maps[0].scores.shape[0], height, width), dtype=np.float32)
    for top, bottom, logits in _bands(maps, upsampling, height, width):
        probabilities[:, top:bottom] = logits.softmax(dim=0).cpu().numpy()
    return probabilities


def _decode_bilinear(scores: Tensor, stride: int, height: int, width: int) -> NDArray[np.uint8]:
    """Bands of whole score rows, each with a neighbour row on either side, which its border pixels depend on."""
    mask = np.empty((height, width), dtype=np.uint8)
    cells = max(1, _MAX_BAND_NUMBERS // (stride * stride * scores.shape[2]))
    for first in range(0, -(-height // stride), cells):
        start = max(0, first - 1)
        band = winning_classes(scores[:, start : first + cells + 1], stride)
        top, bottom = first * stride, min(height, (first + cells) * stride)
        offset = start * stride
        mask[top:bottom] = band[top - offset : bottom - offset, :width].cpu().numpy()
    return mask


def _bands(
    maps: Sequence[ScoreMap], upsampling: Upsampling, height: int, width: int
) -> Iterator[tuple[int, int, Tensor]]:
    """Mean logits by bands: (first row, row after the last, (K, rows, width))."""
    num_classes = maps[0].scores.shape[0]
    rows = max(1, _MAX_BAND_NUMBERS // (num_classes * width))
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        total = maps[0].scores.new_zeros(num_classes, bottom - top, width)
        count = maps[0].scores.new_zeros(bottom - top, width)
        for score_map in maps:
            _add(score_map, upsampling, top, total, count)
        yield top, bottom, total.div_(count)


def _add(score_map: ScoreMap, upsampling: Upsampling, band_top: int, total: Tensor, count: Tensor) -> None:
    """Add a map's logits to the part of a band that it covers."""
    _, cell_rows, cell_columns = score_map.scores.shape
    top = max(band_top, score_map.top)
    bottom = min(band_top + total.shape[1], score_map.top + cell_rows * upsampling.factor)
    if top >= bottom:
        return
    right = min(total.shape[2], score_map.left + cell_columns * upsampling.factor)
    logits = score_map.logits(upsampling, top - score_map.top, bottom - score_map.top)
    rows, columns = slice(top - band_top, bottom - band_top), slice(score_map.left, right)
    total[:, rows, columns] += logits[..., : right - score_map.left]
    count[rows, columns] += 1
