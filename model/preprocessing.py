"""From a uint8 image to the tensor a network reads.

Saved in the checkpoint, so that training and serving cannot drift apart.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Scale to 0..1, subtract the mean, divide by the standard deviation; per channel, RGB.

    The defaults are those of torchvision's ImageNet weights.
    """

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        """Raise ValueError if the numbers cannot be those of images scaled to 0..1."""
        if not all(0 <= mean <= 1 for mean in self.mean) or not all(0 < std < math.inf for std in self.std):
            raise ValueError(f"means are 0 to 1, and standard deviations above 0: {self.mean}, {self.std}")

    def __call__(self, images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Normalise images.

        Args:
            images: (batch, 3, height, width), uint8 RGB, any memory format and device.
            dtype: floating-point type to compute in and to return.

        Returns:
            The same shape, device and memory format, ``dtype``; 0 is the mean colour.
        """
        mean = torch.tensor(self.mean, dtype=dtype, device=images.device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, dtype=dtype, device=images.device).view(1, 3, 1, 1)
        return images.to(dtype).sub_(mean * 255).div_(std * 255)

    def pad(self, image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
        """Extend an image, (rows, columns, 3) uint8 RGB, with the mean colour at its bottom and right."""
        if image.shape[:2] == (height, width):
            return image
        padded = np.empty((height, width, 3), dtype=np.uint8)
        padded[:] = self.mean_color
        padded[: image.shape[0], : image.shape[1]] = image
        return padded

    @property
    def bounds(self) -> tuple[float, float]:
        """Minimum and maximum of a normalised pixel."""
        channels = [*zip(self.mean, self.std, strict=True)]
        return min(-mean / std for mean, std in channels), max((1 - mean) / std for mean, std in channels)

    @property
    def mean_color(self) -> tuple[int, int, int]:
        """The uint8 colour nearest to the mean, which normalisation maps to 0: the colour of padding."""
        red, green, blue = (round(channel * 255) for channel in self.mean)
        return red, green, blue


DEFAULT_PREPROCESSING = Preprocessing()
"""Preprocessing of torchvision's ImageNet weights."""
