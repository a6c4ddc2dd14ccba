"""Base class of the fully convolutional networks: scores on a coarse grid, and their upsampling to pixels."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from model.networks.resnet import Blocks, Features, ResNet
from model.upsampling import BilinearUpsampling, LearnedUpsampling, Upsampling

ALIGNMENT = 32
"""Divisor of the sides of a network's input, in pixels: the backbone's last stage is at 1/32."""


def aligned(pixels: int) -> int:
    """Round up to a multiple of ``ALIGNMENT``."""
    return -(-pixels // ALIGNMENT) * ALIGNMENT


class FCN(nn.Module, ABC):
    """A ResNet backbone, a 1x1 convolution to class scores and a transposed convolution to pixels.

    Sub-classes define how the scores are computed from the features; everything after the scores (upsampling, bands,
    averages) needs only ``stride``, ``scores`` and ``upsampling``.

    Args:
        num_classes: channels of the scores.
        blocks: basic blocks of each backbone stage.
        width: channels of the first backbone stage.
        learned_upsampling: whether to train the kernels of the transposed convolutions, as the book does, instead of
            keeping them bilinear.
    """

    stride: ClassVar[int]
    """Side of a score cell, in pixels."""

    def __init__(self, num_classes: int, blocks: Blocks, width: int, *, learned_upsampling: bool) -> None:
        super().__init__()
        self._upsampling_type: type[Upsampling] = LearnedUpsampling if learned_upsampling else BilinearUpsampling
        self.backbone = ResNet(blocks, width)
        self.classifier = nn.Conv2d(8 * width, num_classes, 1)
        nn.init.xavier_uniform_(self.classifier.weight)
        self.upsampling = self._upsampling_type(num_classes, self.stride)

    @abstractmethod
    def head(self, features: Features) -> Tensor:
        """Backbone features of images of height x width -> (batch, num_classes, height / stride, width / stride)."""

    def scores(self, images: Tensor) -> Tensor:
        """Compute the class scores of each cell.

        Args:
            images: (batch, 3, height, width), normalised; sides are multiples of 32.

        Returns:
            (batch, num_classes, height / stride, width / stride).
        """
        return self.head(self.backbone(images))

    def forward(self, images: Tensor) -> Tensor:
        """Compute each pixel's logits: (batch, 3, height, width), normalised -> (batch, num_classes, height, width)."""
        logits: Tensor = self.upsampling(self.scores(images))
        return logits

    def class_layers(self) -> set[str]:
        """Return the names of this module's children whose outputs are class scores."""
        return {name for name, child in self.named_children() if isinstance(child, nn.Conv2d | Upsampling)}

    def upsamplings(self) -> list[Upsampling]:
        """Return all upsampling layers."""
        return [module for module in self.modules() if isinstance(module, Upsampling)]

    def _skip(self, channels: int, num_classes: int) -> nn.Conv2d:
        """Make a 1x1 convolution that scores an earlier stage; zero at first, so training starts from the coarser net.

        Source: Long, Shelhamer, Darrell 2015, section 4.2.
        """
        skip = nn.Conv2d(channels, num_classes, 1)
        nn.init.zeros_(skip.weight)
        assert skip.bias is not None
        nn.init.zeros_(skip.bias)
        return skip
