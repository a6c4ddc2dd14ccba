"""The numbers that 8-bit integers stand for."""

from dataclasses import dataclass

import torch
from torch import Tensor

_LEVELS = 255
"""Steps between the least and the greatest uint8."""

_LEAST_LENGTH = 1e-6
"""Of a range: values that were all the same have a grid as well."""


@dataclass(frozen=True, slots=True)
class Grid:
    """256 numbers at equal distances, one of which is 0: an integer n is (n - zero_point) * scale."""

    scale: float
    zero_point: int

    @classmethod
    def covering(cls, low: float, high: float) -> "Grid":
        """From ``low`` to ``high``, each at most half a step beyond the grid; and 0."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max(high - low, _LEAST_LENGTH) / _LEVELS
        return cls(scale, round(-low / scale))

    def round(self, values: Tensor) -> Tensor:
        """Floating point -> uint8; what lies beyond the grid becomes its nearest end."""
        # One half, so that cutting off rounds; the product is a copy that the rest may change.
        return values.mul(1 / self.scale).add_(self.zero_point + 0.5).clamp_(0, _LEVELS).to(torch.uint8)

    def values(self, integers: Tensor) -> Tensor:
        """uint8 -> float32."""
        return integers.to(torch.float32).sub_(self.zero_point).mul_(self.scale)
