"""The mean of several checkpoints' weights."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from model.checkpoint import Checkpoint
from training.errors import ExportError


def average(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """Average the weights of checkpoints (a model soup; Wortsman et al. 2022, arXiv:2203.05482).

    Args:
        checkpoints: at least one. Only weights that were trained from the same start, or from one another, have a
            useful mean.

    Returns:
        The mean of each weight, with the origin of the last checkpoint; without scores, golden sample and activation
        ranges, which are those of other weights.

    Raises:
        ExportError: networks, classes or preprocessing differ.
    """
    *others, last = checkpoints
    for index, other in enumerate(others, 1):
        for name in ("config", "labels", "preprocessing"):
            if getattr(other, name) != getattr(last, name):
                raise ExportError(f"checkpoint {index} has another {name} than the last one: they have no mean")
    states = [checkpoint.build().state_dict() for checkpoint in checkpoints]
    weights = {name: _mean([state[name] for state in states]) for name in states[-1]}
    summary = replace(last.summary, scores={}, precision_scores={})
    return replace(last, weights=weights, summary=summary, golden=None, activation_ranges=(), digest="")


def _mean(tensors: Sequence[Tensor]) -> Tensor:
    """The mean; of counters, which batch normalisation has, the last."""
    return torch.stack(list(tensors)).mean(0) if tensors[-1].is_floating_point() else tensors[-1]
