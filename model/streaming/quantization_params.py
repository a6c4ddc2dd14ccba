"""Affine quantization to 8-bit integers."""

from dataclasses import dataclass

import torch
from torch import Tensor

_LEVELS = 255
"""Steps between the least and the greatest uint8."""

_LEAST_LENGTH = 1e-6
"""Minimum length of a range: values that were all equal are quantized as well."""


@dataclass(frozen=True, slots=True)
class QuantizationParams:
    """Scale and zero point of uint8 integers: n stands for (n - zero_point) * scale."""

    scale: float
    zero_point: int

    @classmethod
    def covering(cls, low: float, high: float) -> "QuantizationParams":
        """Parameters whose integers reach from ``low`` to ``high``, each at most half a step beyond them, and to 0."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max(high - low, _LEAST_LENGTH) / _LEVELS
        return cls(scale, round(-low / scale))

    def quantize(self, values: Tensor) -> Tensor:
        """Floating point -> uint8; values out of range are clamped."""
        # One half, so that cutting off rounds; the product is a copy that the rest may change.
        return values.mul(1 / self.scale).add_(self.zero_point + 0.5).clamp_(0, _LEVELS).to(torch.uint8)

    def dequantize(self, integers: Tensor) -> Tensor:
        """uint8 -> float32."""
        return integers.to(torch.float32).sub_(self.zero_point).mul_(self.scale)
