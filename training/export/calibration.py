"""Calibration: the activation ranges that a checkpoint needs to predict in int8."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.checkpoint import Checkpoint
from model.networks.fcn import aligned
from model.preprocessing import Preprocessing
from model.streaming import measure_ranges, trace_scores


def calibrate(checkpoint: Checkpoint, images: Iterable[NDArray[np.uint8]]) -> Checkpoint:
    """Measure the activation ranges on some images, each predicted whole, in float32 on a CPU.

    Args:
        checkpoint: checkpoint with its weights rounded as served.
        images: at least one, (height, width, 3) uint8 RGB; a hundred images like those to be predicted are enough.

    Returns:
        The checkpoint with the ranges.
    """
    program = trace_scores(checkpoint.build())
    inputs = (network_input(image, checkpoint.preprocessing) for image in images)
    return replace(checkpoint, activation_ranges=measure_ranges(program, inputs))


def network_input(image: NDArray[np.uint8], preprocessing: Preprocessing) -> Tensor:
    """Prepare an image as the segmenter does: (height, width, 3) uint8 RGB -> (1, 3, aligned height, aligned width)
    float32, channels_last.
    """
    height, width = image.shape[:2]
    pixels = torch.from_numpy(preprocessing.pad(image, aligned(height), aligned(width)).copy())
    return preprocessing(pixels.permute(2, 0, 1)[None])
