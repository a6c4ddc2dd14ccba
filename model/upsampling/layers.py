"""Upsampling layers: transposed convolutions with kernel 2s, stride s and padding s / 2, in fast and exact form."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.upsampling.kernel import bilinear_kernel


class Upsampling(nn.Module, ABC):
    """Enlarges a grid of scores by an even factor: (batch, K, h, w) -> (batch, K, factor * h, factor * w).

    A pixel depends only on the 2 x 2 cells around it; outside the grid, scores are zero.
    """

    def __init__(self, num_classes: int, factor: int) -> None:
        super().__init__()
        if factor < 2 or factor % 2:
            raise ValueError(f"an upsampling factor is even, not {factor}")
        self.num_classes = num_classes
        self.factor = factor

    @abstractmethod
    def forward(self, scores: Tensor) -> Tensor: ...


class BilinearUpsampling(Upsampling):
    """A transposed convolution with the fixed kernel ``bilinear_kernel``: nothing to train, nothing to store.

    Each class is interpolated independently, so torch's bilinear interpolation of a zero-padded grid gives the same
    numbers as the dense K x K transposed convolution, with 1/K of its arithmetic.
    """

    def forward(self, scores: Tensor) -> Tensor:
        padded = functional.pad(scores, (1, 1, 1, 1))
        enlarged = functional.interpolate(padded, scale_factor=self.factor, mode="bilinear", align_corners=False)
        s = self.factor
        return enlarged[..., s:-s, s:-s]


class LearnedUpsampling(Upsampling):
    """A transposed convolution with a trained kernel, initially bilinear.

    Computed as a 2 x 2 convolution with factor^2 outputs per class, whose outputs are then rearranged to pixels: the
    same products and sums as ``conv_transpose2d``, several times faster on a CPU.

    Attributes:
        weight: (K, K, 2 * factor, 2 * factor), laid out as ``nn.ConvTranspose2d.weight``.
        bias: (K,), initially zero.
    """

    def __init__(self, num_classes: int, factor: int) -> None:
        super().__init__(num_classes, factor)
        self.weight = nn.Parameter(bilinear_kernel(num_classes, num_classes, 2 * factor))
        self.bias = nn.Parameter(torch.zeros(num_classes))

    def forward(self, scores: Tensor) -> Tensor:
        s = self.factor
        cells = functional.conv2d(scores, self._convolution_kernel(), padding=1)  # (B, K s s, h + 1, w + 1)
        pixels = functional.pixel_shuffle(cells, s)  # (B, K, s (h + 1), s (w + 1))
        inside = pixels[..., s // 2 : -(s // 2), s // 2 : -(s // 2)]
        return inside + self.bias.view(-1, 1, 1)

    def _convolution_kernel(self) -> Tensor:
        """(K s s, K, 2, 2): tap 1 of an output's kernel reads the current cell, tap 0 the one before it."""
        k, s = self.num_classes, self.factor
        taps = self.weight.view(k, k, 2, s, 2, s).flip(2, 4)
        return taps.permute(1, 3, 5, 0, 2, 4).reshape(k * s * s, k, 2, 2)
