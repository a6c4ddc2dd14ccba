"""The mean of the logits of overlapping rectangles, in bands of rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from model.streaming import Rows, Upsample
from model.upsampling import Upsampling

_MAX_BAND_NUMBERS = 1 << 23
"""Maximum number of logits in a band of rows; 32 MiB in float32."""


@dataclass(frozen=True, slots=True)
class ScoreMap:
    """Scores of a rectangle of the image.

    Attributes:
        top, left: the rectangle's position in the image, in pixels.
        scores: (K, height / stride, width / stride).
    """

    top: int
    left: int
    scores: Tensor


def mean_logits(maps: Sequence[ScoreMap], upsampling: Upsampling, height: int, width: int) -> Iterator[Tensor]:
    """Yield the logits of an image covered by score maps, averaged where they overlap: (K, rows, width) each."""
    num_classes = maps[0].scores.shape[0]
    rows = max(1, _MAX_BAND_NUMBERS // (num_classes * width))
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        total = maps[0].scores.new_zeros(num_classes, bottom - top, width)
        count = maps[0].scores.new_zeros(bottom - top, width)
        for score_map in maps:
            _add(score_map, upsampling, top, total, count)
        yield total.div_(count)


def _add(score_map: ScoreMap, upsampling: Upsampling, band_top: int, total: Tensor, count: Tensor) -> None:
    """Add a map's logits to the part of a band that it covers."""
    _, cell_rows, cell_columns = score_map.scores.shape
    top = max(band_top, score_map.top)
    bottom = min(band_top + total.shape[1], score_map.top + cell_rows * upsampling.factor)
    if top >= bottom:
        return
    right = min(total.shape[2], score_map.left + cell_columns * upsampling.factor)
    logits = _logits(score_map.scores, upsampling, range(top - score_map.top, bottom - score_map.top))
    rows, columns = slice(top - band_top, bottom - band_top), slice(score_map.left, right)
    total[:, rows, columns] += logits[..., : right - score_map.left]
    count[rows, columns] += 1


def _logits(scores: Tensor, upsampling: Upsampling, wanted: range) -> Tensor:
    """Upsample a score map to the wanted rows of its output: (K, rows, width)."""
    enlarging = Upsample(upsampling, upsampling.factor)
    needed = enlarging.geometries[0].needed(wanted)
    first = max(0, needed.start)
    return enlarging([Rows(first, (scores[None, :, first : needed.stop],), scores.shape[1])], wanted)[0]
