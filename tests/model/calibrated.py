"""Checkpoints calibrated for int8."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from model.checkpoint import Checkpoint
from model.streaming import measure_ranges, trace_scores


def calibrated(checkpoint: Checkpoint, image: NDArray[np.uint8]) -> Checkpoint:
    """The checkpoint with the activation ranges of one image, whose sides are multiples of 32."""
    images = checkpoint.preprocessing(torch.from_numpy(image.copy()).permute(2, 0, 1)[None])
    return replace(checkpoint, activation_ranges=measure_ranges(trace_scores(checkpoint.build()), [images]))
