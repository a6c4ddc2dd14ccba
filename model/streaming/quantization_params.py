"""Affine quantization to 8-bit integers."""

from dataclasses import dataclass

import torch
from torch import Tensor

_LEVELS = 255
"""Number of steps between the least and the greatest uint8."""

_LEAST_LENGTH = 1e-6
"""Minimum length of a range, so that a range of equal values can be quantized."""


@dataclass(frozen=True, slots=True)
class QuantizationParams:
    """Scale and zero point of uint8 integers: n represents (n - zero_point) * scale."""

    scale: float
    zero_point: int

    @classmethod
    def covering(cls, low: float, high: float) -> "QuantizationParams":
        """Return parameters whose range is ``low`` to ``high``, extended to include 0, to within half a step."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max(high - low, _LEAST_LENGTH) / _LEVELS
        return cls(scale, round(-low / scale))

    def quantize(self, values: Tensor) -> Tensor:
        """Convert floating point to uint8; values out of range are clamped."""
        # One half is added so that truncation rounds; the product is a copy, so the rest may work in place.
        return values.mul(1 / self.scale).add_(self.zero_point + 0.5).clamp_(0, _LEVELS).to(torch.uint8)

    def dequantize(self, integers: Tensor) -> Tensor:
        """Convert uint8 to float32."""
        return integers.to(torch.float32).sub_(self.zero_point).mul_(self.scale)
