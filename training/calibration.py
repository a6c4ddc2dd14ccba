"""The ranges that a checkpoint needs to predict in int8."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.checkpoint import Checkpoint
from model.networks.fcn import aligned
from model.streaming import fuse, measure_ranges, trace_scores


def calibrate(checkpoint: Checkpoint, images: Iterable[NDArray[np.uint8]]) -> Checkpoint:
    """The checkpoint with the ranges of what its network computes for some images, each whole, in float32 on a CPU.

    Args:
        checkpoint: weights as they are served, rounding and all.
        images: at least one, (height, width, 3) uint8 RGB; a hundred photographs like those to come serve well.
    """
    program = fuse(trace_scores(checkpoint.build()))
    return replace(checkpoint, ranges=measure_ranges(program, _inputs(checkpoint, images)))


def _inputs(checkpoint: Checkpoint, images: Iterable[NDArray[np.uint8]]) -> Iterator[Tensor]:
    """(1, 3, height, width) each, as the segmenter has them."""
    preprocessing = checkpoint.preprocessing
    for image in images:
        height, width = image.shape[:2]
        pixels = torch.from_numpy(preprocessing.pad(image, aligned(height), aligned(width)).copy())
        yield preprocessing(pixels.permute(2, 0, 1)[None])
