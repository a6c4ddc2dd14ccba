"""From scores directly to each pixel's winning class, for bilinear upsampling.

Between the centres of four neighbouring cells, every pixel's logits are a convex combination of the four cells' scores.
If the same class wins in all four, it wins in every pixel between them: such a square is filled without arithmetic.
Only squares on the borders between classes are interpolated. Outside the outermost centres all classes are scaled
alike, which changes no winner, so the border cells are replicated.
"""

import torch
from torch import Tensor
from torch.nn import functional

_MAX_INTERPOLATED = 1 << 22
"""Maximum numbers interpolated at once, to limit memory."""


def winning_classes(scores: Tensor, factor: int) -> Tensor:
    """Return the index of each pixel's greatest logit, equal to the ``argmax`` of ``BilinearUpsampling``.

    Args:
        scores: (batch, K, h, w), floating point; K <= 255.
        factor: side of a cell in pixels, even.

    Returns:
        (batch, factor * h, factor * w), uint8.
    """
    padded = functional.pad(scores, (1, 1, 1, 1), mode="replicate")  # (B, K, h + 2, w + 2)
    winners = padded.argmax(dim=1).to(torch.uint8)
    corners = winners[:, :-1, :-1], winners[:, :-1, 1:], winners[:, 1:, :-1], winners[:, 1:, 1:]
    mixed = (corners[0] != corners[1]) | (corners[0] != corners[2]) | (corners[0] != corners[3])  # (B, h + 1, w + 1)
    squares = corners[0][..., None, None].repeat(1, 1, 1, factor, factor)  # (B, h + 1, w + 1, s, s)
    places = mixed.nonzero(as_tuple=True)  # image, row and column of each
    weights = _mixing_weights(factor, scores)
    at_once = max(1, _MAX_INTERPOLATED // weights.shape[1])
    for part in range(0, len(places[0]), at_once):
        image, row, column = (place[part : part + at_once] for place in places)
        squares[image, row, column] = _interpolate(padded.transpose(0, 1), image, row, column, weights)
    batch, height, width = mixed.shape
    pixels = squares.permute(0, 1, 3, 2, 4).reshape(batch, height * factor, width * factor)
    half = factor // 2
    return pixels[:, half:-half, half:-half]


def _interpolate(classes: Tensor, image: Tensor, row: Tensor, column: Tensor, weights: Tensor) -> Tensor:
    """Winners within N squares: (N, s, s) uint8. One class at a time, to avoid a tensor of K x pixels."""
    around = torch.stack(
        [
            classes[:, image, row, column],
            classes[:, image, row, column + 1],
            classes[:, image, row + 1, column],
            classes[:, image, row + 1, column + 1],
        ],
        dim=-1,
    )  # (K, N, 4)
    best = around[0] @ weights  # (N, s s)
    winners = torch.zeros_like(best, dtype=torch.uint8)
    for index in range(1, len(around)):
        logits = around[index] @ weights
        better = logits > best
        winners[better] = index
        best = torch.maximum(best, logits)
    factor = round(weights.shape[1] ** 0.5)
    return winners.view(-1, factor, factor)


def _mixing_weights(factor: int, like: Tensor) -> Tensor:
    """Weight of each corner in each pixel of a square: (4, factor^2), dtype and device of ``like``."""
    after = (torch.arange(factor, dtype=like.dtype, device=like.device) + 0.5) / factor
    pair = torch.stack([1 - after, after])  # (2, s): weight of the first and of the second cell
    return torch.einsum("ay,bx->abyx", pair, pair).reshape(4, factor * factor)
