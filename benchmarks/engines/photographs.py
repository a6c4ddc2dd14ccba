"""Photographs as engines read them, and masks as their scores mean them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.networks.fcn import aligned
from model.preprocessing import Preprocessing
from model.upsampling.winners import winning_classes


def prepare(image: NDArray[np.uint8], preprocessing: Preprocessing) -> Tensor:
    """(height, width, 3) uint8 RGB -> (1, 3, aligned height, aligned width) float32, channels_last."""
    height, width = image.shape[:2]
    padded = np.empty((aligned(height), aligned(width), 3), dtype=np.uint8)
    padded[:] = preprocessing.mean_color
    padded[:height, :width] = image
    return preprocessing(torch.from_numpy(padded).permute(2, 0, 1)[None])


def winners(scores: Tensor, stride: int, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class of each pixel of an image, (height, width) uint8, from (1, K, height / stride, width / stride)."""
    mask: NDArray[np.uint8] = winning_classes(scores, stride)[0, : image.shape[0], : image.shape[1]].numpy()
    return mask
