"""Losses of pixels and of score cells."""

import torch
from torch import Tensor
from torch.nn import functional

from model.labels import IGNORE_INDEX


def pixel_losses(logits: Tensor, masks: Tensor) -> Tensor:
    """Compute each pixel's cross-entropy: (B, K, h, w) float, (B, h, w) int64 -> (B, h, w), 0 where the mask is 255."""
    return functional.cross_entropy(logits, masks, ignore_index=IGNORE_INDEX, reduction="none")


def hard_example_losses(losses: Tensor, known: Tensor, share: float) -> Tensor:
    """Select the highest losses of a batch ("online hard example mining").

    Args:
        losses: loss of each pixel, (B, h, w).
        known: (B, h, w) bool, pixels of known class.
        share: share of the known pixels to keep, above 0 and up to 1.

    Returns:
        (n,), where n is ``share`` of the known pixels, at least 1 if there are any.

    Source: Shrivastava, Gupta, Girshick 2016 (arXiv:1604.03540), for pixels instead of regions.
    """
    candidates = losses[known]
    count = min(len(candidates), max(1, round(share * len(candidates))))
    return candidates.topk(count, sorted=False).values


def distillation_losses(scores: Tensor, soft_labels: Tensor) -> Tensor:
    """Compute the cross-entropy between a teacher's probabilities and a network's scores.

    Args:
        scores: (B, K, h, w) float.
        soft_labels: (B, K, h, w) float, probabilities; all 0 where there is no soft label.

    Returns:
        (B, h, w), 0 where there is no soft label.

    Source: Hinton, Vinyals, Dean 2015 (arXiv:1503.02531), at temperature 1.
    """
    return -(soft_labels * functional.log_softmax(scores, dim=1)).sum(dim=1)


def lovasz_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Compute the Lovász-softmax loss: for certain predictions 1 - mean IoU of the classes in the masks, else between.

    Args:
        logits: (B, K, h, w) float.
        masks: (B, h, w) int64; 255 is left out.

    Returns:
        Scalar in 0..1; 0 if no pixel has a known class.

    Source: Berman, Rannen Triki, Blaschko 2018 (arXiv:1705.08790).
    """
    known = masks != IGNORE_INDEX
    truth = masks[known]
    probabilities = logits.softmax(dim=1).movedim(1, -1)[known]  # (N, K)
    losses = [
        _lovasz_extension(probabilities[:, index], is_class)
        for index in range(logits.shape[1])
        if (is_class := truth == index).any()
    ]
    return torch.stack(losses).mean() if losses else logits.sum() * 0


def _lovasz_extension(probabilities: Tensor, is_class: Tensor) -> Tensor:
    """Extend 1 - IoU of a class from certain predictions to probabilities, (N,); ``is_class`` is (N,) bool."""
    errors, order = (is_class.to(probabilities.dtype) - probabilities).abs().sort(descending=True)
    is_class = is_class[order]
    # Losses if the first 1, 2, ... of the pixels, those with the largest errors, are wrong.
    count = is_class.sum()
    losses = 1 - (count - is_class.cumsum(0)) / (count + (~is_class).cumsum(0))
    return errors @ losses.diff(prepend=losses.new_zeros(1)).to(errors.dtype)


def sampled_logits(scores: Tensor, factor: int, stride: int, top: int, left: int) -> Tensor:
    """Upsample ``scores`` bilinearly to a subset of the pixels, without computing the others.

    Bilinear upsampling is a product with one matrix from the left and one from the right; only the matrices' rows for
    the wanted pixels are built.

    Args:
        scores: (B, K, h, w) float.
        factor: upsampling factor.
        stride: distance of the pixels along rows and columns.
        top: first row, below ``stride``.
        left: first column, below ``stride``.

    Returns:
        (B, K, ceil((factor * h - top) / stride), ceil((factor * w - left) / stride)), equal to
        ``BilinearUpsampling(K, factor)(scores)[..., top::stride, left::stride]``.
    """
    height, width = scores.shape[-2:]
    rows = _interpolation(height, factor, stride, top, scores.device).to(scores.dtype)
    columns = _interpolation(width, factor, stride, left, scores.device).to(scores.dtype)
    return rows @ scores @ columns.T


def _interpolation(cells: int, factor: int, stride: int, first: int, device: torch.device) -> Tensor:
    """Build the matrix of the cells' weights in each pixel, (pixels, cells); cells outside the grid count as 0."""
    middles = (torch.arange(factor * cells, device=device)[first::stride] + 0.5) / factor - 0.5
    distances = (middles[:, None] - torch.arange(cells, device=device)[None]).abs()
    return (1 - distances).clamp(min=0)
