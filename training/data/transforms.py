"""Random transforms applied jointly to an image and its mask."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import InterpolationMode, functional

from model.labels import IGNORE_INDEX
from model.preprocessing import DEFAULT_PREPROCESSING, Preprocessing
from training.data.dataset import Sample

_MAX_DRAWS = 10
"""Maximum number of windows drawn, until no class has too large a share of one."""


class Crop(NamedTuple):
    """A training sample; in a batch, each tensor has a leading batch dimension.

    Attributes:
        image: (3, crop_size, crop_size) uint8 RGB.
        mask: (crop_size, crop_size) uint8 class indices, 255 for unknown.
        soft_labels: (K, crop_size / soft_stride, crop_size / soft_stride) float32, a teacher's probabilities at the
            centre of each cell; 0 for all classes outside the image or without a teacher.
    """

    image: Tensor
    mask: Tensor
    soft_labels: Tensor


@dataclass(frozen=True, slots=True)
class JointTransform:
    """Random scale, crop, flip and colour; the mask follows the image. Crops are never rescaled to fit.

    Attributes:
        crop_size: height and width of the result in pixels. Smaller images are padded: mean colour, mask 255.
        min_scale, max_scale: range of the image's scale factor before the crop; the book uses 1 and 1.
        color_jitter: maximum relative change of brightness, contrast and saturation.
        flip: whether to mirror half of the samples, at random.
        preprocessing: preprocessing of the network; padding has its mean colour.
        soft_stride: side of the soft labels' cells, in pixels.
        num_classes: channels of the soft labels without a teacher.
        max_class_share: crops in which one class has more than this share of the known pixels are redrawn.
    """

    crop_size: int = 320
    min_scale: float = 1.0
    max_scale: float = 1.0
    color_jitter: float = 0.0
    flip: bool = True
    preprocessing: Preprocessing = DEFAULT_PREPROCESSING
    soft_stride: int = 8
    num_classes: int = 21
    max_class_share: float = 1.0

    def __call__(self, sample: Sample, seed: int) -> Crop:
        """Transform a sample; the result depends only on the arguments, so a run can be repeated and resumed."""
        random = np.random.default_rng(seed)
        image = tv_tensors.Image(torch.from_numpy(sample.image.copy()).permute(2, 0, 1))
        mask = tv_tensors.Mask(torch.from_numpy(sample.mask.copy()))
        image, mask = self._scale(image, mask, random)
        window = self._window(mask, random)
        soft_labels = self._soft_labels(sample, image.shape[-2:], window)
        image, mask = self._crop(image, mask, window)
        if self.flip and random.random() < 0.5:
            image, mask = functional.horizontal_flip(image), functional.horizontal_flip(mask)
            soft_labels = soft_labels.flip(-1)
        return Crop(self._jitter(image, random).as_subclass(Tensor), mask.as_subclass(Tensor), soft_labels)

    def _scale(self, image: Tensor, mask: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        scale = np.exp(random.uniform(np.log(self.min_scale), np.log(self.max_scale)))
        if scale == 1:
            return image, mask
        size = [max(1, round(side * scale)) for side in image.shape[-2:]]
        # Plain NEAREST samples at the output pixel's corner, which shifts masks by half a pixel, and older torchvision
        # (0.26) uses it for every tv_tensors.Mask, whatever mode is requested.
        plain = mask.as_subclass(Tensor)[None]
        scaled = functional.resize(plain, size, interpolation=InterpolationMode.NEAREST_EXACT)[0]
        return functional.resize(image, size, antialias=True), tv_tensors.Mask(scaled)

    def _window(self, mask: Tensor, random: np.random.Generator) -> tuple[int, int]:
        """Draw the crop's position: its top and left."""
        height, width = mask.shape
        for _ in range(_MAX_DRAWS):
            top = int(random.integers(max(height, self.crop_size) - self.crop_size + 1))
            left = int(random.integers(max(width, self.crop_size) - self.crop_size + 1))
            if self.max_class_share == 1:
                break
            seen = mask[top : top + self.crop_size, left : left + self.crop_size]
            pixels = torch.bincount(seen.flatten(), minlength=IGNORE_INDEX + 1)[:IGNORE_INDEX]
            if pixels.max() <= self.max_class_share * pixels.sum() and pixels.any():
                break
        return top, left

    def _crop(self, image: Tensor, mask: Tensor, window: tuple[int, int]) -> tuple[Tensor, Tensor]:
        height, width = image.shape[-2:]
        missing = [0, 0, max(0, self.crop_size - width), max(0, self.crop_size - height)]
        if any(missing):
            image = functional.pad(image, missing, fill=list(self.preprocessing.mean_color))
            mask = functional.pad(mask, missing, fill=IGNORE_INDEX)
        size = (self.crop_size, self.crop_size)
        return functional.crop(image, *window, *size), functional.crop(mask, *window, *size)

    def _soft_labels(self, sample: Sample, size: torch.Size, window: tuple[int, int]) -> Tensor:
        cells = self.crop_size // self.soft_stride
        if sample.soft_labels is None:
            return torch.zeros(self.num_classes, cells, cells)
        middles = (torch.arange(cells) + 0.5) * self.soft_stride
        return sample.soft_labels.sample((window[0] + middles) / size[0], (window[1] + middles) / size[1])

    def _jitter(self, image: Tensor, random: np.random.Generator) -> Tensor:
        if self.color_jitter == 0:
            return image
        low, high = 1 - self.color_jitter, 1 + self.color_jitter
        brightness, contrast, saturation = random.uniform(low, high, size=3).tolist()
        image = functional.adjust_brightness(image, brightness)
        image = functional.adjust_contrast(image, contrast)
        jittered: Tensor = functional.adjust_saturation(image, saturation)
        return jittered
