"""FCN-8s that joins the stages as features instead of scores, with context pooled around each cell."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.networks.fcn import FCN
from model.networks.resnet import Blocks, Features

_WINDOWS = (5, 11)
"""Sides of the windows that context is pooled from, in cells of layer4."""


class LocalContext(nn.Module):
    """Means of the features around each cell, concatenated with the features themselves.

    The windows have a fixed size, so that a cell's receptive field is the same in an image of any size, and predicting
    in bands gives the same result as predicting the whole image.

    Source: Zhao et al. 2016 (arXiv:1612.01105), section 3.2, with windows around each cell instead of regions of the
    image.
    """

    def __init__(self, in_channels: int, window_channels: int, out_channels: int) -> None:
        super().__init__()
        self.reduce = nn.ModuleList(conv_block(in_channels, window_channels, 1) for _ in _WINDOWS)
        self.join = conv_block(in_channels + window_channels * len(_WINDOWS), out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        parts = [x]
        for window, reduce in zip(_WINDOWS, self.reduce, strict=True):
            parts.append(functional.avg_pool2d(reduce(x), window, 1, window // 2, count_include_pad=False))
        return cast("Tensor", self.join(torch.cat(parts, dim=1)))


class FCN8sContext(FCN):
    """Source of the top-down path: Lin et al. 2016 (arXiv:1612.03144), section 3, with a 3x3 convolution per sum."""

    stride = 8

    def __init__(self, num_classes: int, blocks: Blocks, width: int, *, learned_upsampling: bool) -> None:
        super().__init__(num_classes, blocks, width, learned_upsampling=learned_upsampling)
        channels = 2 * width
        self.context = LocalContext(8 * width, 2 * width, 4 * width)
        self.lateral_layer4 = conv_block(4 * width, channels, 1)
        self.lateral_layer3 = nn.Sequential(nn.Conv2d(4 * width, channels, 1))
        self.lateral_layer2 = nn.Sequential(nn.Conv2d(2 * width, channels, 1))
        self.smooth_layer3 = conv_block(channels, channels, 3)
        self.smooth_layer2 = conv_block(channels, channels, 3)
        self.classifier = nn.Conv2d(channels, num_classes, 1)
        nn.init.xavier_uniform_(self.classifier.weight)

    def head(self, features: Features) -> Tensor:
        return cast("Tensor", self.classifier(self.join(features)))  # (B, K, H/8, W/8)

    def join(self, features: Features) -> Tensor:
        """Join the features of the last three stages at 1/8: (batch, 2 * width, height / 8, width / 8)."""
        x = self.lateral_layer4(self.context(features.layer4))  # (B, C, H/32, W/32)
        x = self.smooth_layer3(twice(x) + self.lateral_layer3(features.layer3))  # (B, C, H/16, W/16)
        return cast("Tensor", self.smooth_layer2(twice(x) + self.lateral_layer2(features.layer2)))


def twice(x: Tensor) -> Tensor:
    """Upsample bilinearly by 2; border cells are replicated outwards."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def conv_block(in_channels: int, out_channels: int, kernel_size: int) -> nn.Sequential:
    """Make a block of a convolution of odd kernel size that keeps height and width, batch-norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
