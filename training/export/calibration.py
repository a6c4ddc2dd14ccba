"""The ranges that a checkpoint needs to predict in int8."""

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
    """The checkpoint with the ranges of what its network computes for some images, each whole, in float32 on a CPU.

    Args:
        checkpoint: weights as they are served, rounding and all.
        images: at least one, (height, width, 3) uint8 RGB; a hundred photographs like those to come serve well.
    """
    program = trace_scores(checkpoint.build())
    inputs = (network_input(image, checkpoint.preprocessing) for image in images)
    return replace(checkpoint, activation_ranges=measure_ranges(program, inputs))


def network_input(image: NDArray[np.uint8], preprocessing: Preprocessing) -> Tensor:
    """An image as the segmenter has it: (height, width, 3) uint8 RGB -> (1, 3, aligned height, aligned width) float32,
    channels_last.
    """
    height, width = image.shape[:2]
    pixels = torch.from_numpy(preprocessing.pad(image, aligned(height), aligned(width)).copy())
    return preprocessing(pixels.permute(2, 0, 1)[None])
