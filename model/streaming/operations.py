"""The operations of networks. Each can compute any rows of its output from the input rows they depend on."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from model.streaming.rows import Enlargement, Geometry, Rows, Window

PIXELWISE = Window()
"""Window of pixelwise operations."""


class Operation(ABC):
    """Computes rows of its output from rows of its inputs."""

    @property
    @abstractmethod
    def geometries(self) -> tuple[Geometry, ...]:
        """For each input, how the output's rows depend on its rows."""

    @property
    def row_multiple(self) -> int:
        """Divisor of the number of rows computed at once, unless they include the last row."""
        return 1

    @abstractmethod
    def __call__(self, inputs: Sequence[Rows], wanted: range) -> Tensor:
        """Compute some rows of the output.

        Args:
            inputs: for each input, the rows that its geometry needs, as far as the input has them.
            wanted: rows of the output to compute.

        Returns:
            (batch, channels, wanted rows, width).
        """

    def transposed(self) -> "Operation":
        """Return the operation that computes the transposed output from transposed inputs."""
        return self


@dataclass(frozen=True, slots=True)
class Convolution(Operation):
    """A convolution, with an optional sum and ReLU fused into it.

    Attributes:
        weight: (out channels, in channels, size, size).
        bias: (out channels,).
        window: window along rows and along columns.
        relu: whether negative outputs become 0.
        adds: whether a second input is added before the ReLU.
    """

    weight: Tensor
    bias: Tensor
    window: Window
    relu: bool = False
    adds: bool = False

    @property
    def geometries(self) -> tuple[Geometry, ...]:
        return (self.window, PIXELWISE) if self.adds else (self.window,)

    def __call__(self, inputs: Sequence[Rows], wanted: range) -> Tensor:
        x, rows_padding = padded(inputs[0], self.window, wanted, 0)
        return self.convolve(x, (rows_padding, self.window.padding), inputs[1].tensor if self.adds else None)

    def convolve(self, x: Tensor, padding: tuple[int, int], addend: Tensor | None) -> Tensor:
        """Compute convolution, sum and ReLU; ``padding`` is (rows, columns)."""
        y = functional.conv2d(x, self.weight, self.bias, self.window.stride, padding)
        if addend is not None:
            y += addend
        return y.relu_() if self.relu else y

    def transposed(self) -> "Convolution":
        weight = self.weight.transpose(2, 3).contiguous(memory_format=torch.channels_last)
        return replace(self, weight=weight)


@dataclass(frozen=True, slots=True)
class MaxPooling(Operation):
    """The greatest value in each window."""

    window: Window

    @property
    def geometries(self) -> tuple[Geometry, ...]:
        return (self.window,)

    def __call__(self, inputs: Sequence[Rows], wanted: range) -> Tensor:
        x, rows_padding = padded(inputs[0], self.window, wanted, float("-inf"))
        padding = (rows_padding, self.window.padding)
        return functional.max_pool2d(x, self.window.size, self.window.stride, padding)


@dataclass(frozen=True, slots=True)
class AveragePooling(Operation):
    """Mean of the part of each window that lies within the input; separable, along rows and then along columns."""

    window: Window

    @property
    def geometries(self) -> tuple[Geometry, ...]:
        return (self.window,)

    def __call__(self, inputs: Sequence[Rows], wanted: range) -> Tensor:
        size, stride, padding = self.window.size, self.window.stride, self.window.padding
        rows = inputs[0]
        x = functional.avg_pool2d(rows.tensor, (1, size), (1, stride), (0, padding), count_include_pad=False)
        x, rows_padding = padded(replace(rows, parts=(x,)), self.window, wanted, 0)
        sums = functional.avg_pool2d(x, (size, 1), (stride, 1), (rows_padding, 0), divisor_override=1)
        first = torch.arange(wanted.start, wanted.stop, device=x.device) * stride - padding
        counts = (first + size).clamp_(max=rows.total) - first.clamp(min=0)
        return sums.div_(counts.view(-1, 1).to(x.dtype))


@dataclass(frozen=True, slots=True)
class Addition(Operation):
    """The sum of two inputs."""

    @property
    def geometries(self) -> tuple[Geometry, ...]:
        return (PIXELWISE, PIXELWISE)

    def __call__(self, inputs: Sequence[Rows], wanted: range) -> Tensor:  # noqa: ARG002 (they are those of the inputs)
        return inputs[0].tensor + inputs[1].tensor


@dataclass(frozen=True, slots=True)
class Concatenation(Operation):
    """The channels of several inputs, concatenated.

    Attributes:
        count: number of inputs.
    """

    count: int

    @property
    def geometries(self) -> tuple[Geometry, ...]:
        return (PIXELWISE,) * self.count

    def __call__(self, inputs: Sequence[Rows], wanted: range) -> Tensor:  # noqa: ARG002 (they are those of the inputs)
        return torch.cat([rows.tensor for rows in inputs], dim=1)


@dataclass(frozen=True, slots=True)
class Upsample(Operation):
    """Upsampling by an even factor, where each output row depends only on the two nearest input rows.

    Attributes:
        enlarge: function (batch, channels, rows, width) -> (batch, any channels, factor * rows, factor * width). For
            some rows, its output equals its output for the whole input, except ``factor / 2`` rows at a cut.
        factor: upsampling factor, even.
    """

    enlarge: Callable[[Tensor], Tensor]
    factor: int

    @property
    def geometries(self) -> tuple[Geometry, ...]:
        return (Enlargement(self.factor),)

    def __call__(self, inputs: Sequence[Rows], wanted: range) -> Tensor:
        offset = inputs[0].start * self.factor
        return self.enlarge(inputs[0].tensor)[:, :, wanted.start - offset : wanted.stop - offset]

    def transposed(self) -> "Upsample":
        return replace(self, enlarge=partial(_across, self.enlarge))


def _across(enlarge: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return enlarge(x.mT).mT


def padded(rows: Rows, window: Window, wanted: range, value: float) -> tuple[Tensor, int]:
    """Pad the rows above the input's first and below its last row; also return the padding left to the operation.

    If both paddings are equal, as for a whole image, the operation pads by itself, without a copy.

    Args:
        rows: rows of the input.
        window: window of the operation.
        wanted: rows of the output to compute.
        value: padding value.
    """
    needed = window.needed(wanted)
    above, below = max(0, -needed.start), max(0, needed.stop - rows.total)
    if above == below:
        return rows.tensor, above
    return functional.pad(rows.tensor, (0, 0, above, below), value=value), 0
