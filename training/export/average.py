"""The mean of several checkpoints' weights."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from model.checkpoint import Checkpoint
from model.weight_compression import StorageDtype
from training.errors import ExportError


def average(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """Average the weights of checkpoints, and so the statistics of their batch normalisation, which are among them.

    Only weights that were trained from the same start, or from one another, have a useful mean (a model soup; Wortsman
    et al. 2022, arXiv:2203.05482).

    Args:
        checkpoints: at least one.

    Returns:
        The mean, to be stored as float16, with the origin of the last checkpoint; without scores, golden sample and
        activation ranges, which are those of other weights.

    Raises:
        ExportError: networks, classes or preprocessing differ.
    """
    *others, last = checkpoints
    for index, other in enumerate(others, 1):
        for what, name in (("network", "config"), ("classes", "labels"), ("preprocessing", "preprocessing")):
            if getattr(other, name) != getattr(last, name):
                raise ExportError(f"{what} of checkpoint {index} and of the last one differ: they have no mean")
    states = [checkpoint.build().state_dict() for checkpoint in checkpoints]
    return Checkpoint(
        last.config,
        last.labels,
        {name: _mean([state[name] for state in states]) for name in states[-1]},
        last.preprocessing,
        replace(last.summary, scores={}, precision_scores={}),
        storage_dtype=StorageDtype.FLOAT16,
    )


def _mean(tensors: Sequence[Tensor]) -> Tensor:
    """The mean; of counters, which batch normalisation has, the last."""
    return torch.stack(list(tensors)).mean(0) if tensors[-1].is_floating_point() else tensors[-1]
