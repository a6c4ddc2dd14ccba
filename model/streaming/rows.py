"""Receptive fields by rows: the input rows that an operation needs for some rows of its output."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of a value.

    Attributes:
        start: number of the first row.
        parts: tensors of consecutive rows, (batch, channels, rows, width) each.
        total: number of rows of the whole value.
    """

    start: int
    parts: tuple[Tensor, ...]
    total: int

    @property
    def stop(self) -> int:
        return self.start + sum(part.shape[2] for part in self.parts)

    @cached_property
    def tensor(self) -> Tensor:
        """All rows in one tensor, (batch, channels, rows, width); a copy if there are several parts."""
        return self.parts[0] if len(self.parts) == 1 else torch.cat(self.parts, dim=2)


class Geometry(ABC):
    """How the rows of an output depend on those of an input."""

    @abstractmethod
    def total(self, rows: int) -> int:
        """Return the number of output rows for an input with ``rows`` rows."""

    @abstractmethod
    def ready(self, rows: int) -> int:
        """Return the number of output rows that depend only on the first ``rows`` rows of a longer input."""

    @abstractmethod
    def needed(self, wanted: range) -> range:
        """Return the input rows that some output rows depend on; may extend beyond the input's first and last row."""


@dataclass(frozen=True, slots=True)
class Window(Geometry):
    """A sliding window, as of convolution and pooling; of size 1, for pixelwise operations."""

    size: int = 1
    stride: int = 1
    padding: int = 0

    def total(self, rows: int) -> int:
        return (rows + 2 * self.padding - self.size) // self.stride + 1

    def ready(self, rows: int) -> int:
        return max(0, (rows + self.padding - self.size) // self.stride + 1)

    def needed(self, wanted: range) -> range:
        start = wanted.start * self.stride - self.padding
        return range(start, (wanted.stop - 1) * self.stride - self.padding + self.size)

    def followed_by(self, other: "Window") -> "Window":
        """Return the combined window of this operation and another that reads its output."""
        return Window(
            (other.size - 1) * self.stride + self.size,
            self.stride * other.stride,
            self.padding + self.stride * other.padding,
        )


@dataclass(frozen=True, slots=True)
class Enlargement(Geometry):
    """Bilinear interpolation or transposed convolution by an even factor: an output row lies between two input rows."""

    factor: int

    def total(self, rows: int) -> int:
        return rows * self.factor

    def ready(self, rows: int) -> int:
        return max(0, rows * self.factor - self.factor // 2)

    def needed(self, wanted: range) -> range:
        half = self.factor // 2
        return range((wanted.start + half) // self.factor - 1, (wanted.stop - 1 + half) // self.factor + 1)
