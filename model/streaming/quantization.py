"""A program in 8-bit integers: oneDNN's convolutions of uint8 by int8, which CPUs with VNNI multiply four at a time.

What convolutions read is uint8, on a grid that covers the range measured for it (``calibration``), also while it waits
in a stream: a quarter of float32's memory. The image, and what is only pooled, added or enlarged, stay float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model.errors import CheckpointError
from model.streaming.grid import Grid
from model.streaming.operations import PIXELWISE, Convolution, Operation, framed
from model.streaming.program import Program, Step
from model.streaming.rows import Geometry, Rows, Span, Window

Range = tuple[float, float]
"""The least and the greatest number that a value was seen to have."""

_WEIGHT_LEVELS = 127
"""Steps between 0 and a channel's largest weight."""

_FLOATS = Grid(1.0, 0)
"""What oneDNN wants to hear of float32."""


def quantize(program: Program, ranges: Sequence[Range]) -> Program:
    """A float32 program on a CPU in integers; a transposed one is made of the transposed program.

    Args:
        program: as traced.
        ranges: of each of its values, by number: the image's first.

    Raises:
        CheckpointError: the ranges are not those of this program.
    """
    if len(ranges) != len(program.steps) + 1:
        raise CheckpointError(
            f"there are ranges of {len(ranges)} values for a network of {len(program.steps) + 1}; "
            "calibrate the checkpoint again"
        )
    convolutions = [step for step in program.steps if isinstance(step.operation, Convolution)]
    integers = {source for step in convolutions for source in step.inputs} - {0}
    grids = [Grid.covering(*bounds) if number in integers else None for number, bounds in enumerate(ranges)]
    return Program(
        tuple(
            Step(_quantized(step.operation, [grids[source] for source in step.inputs], grids[number]), step.inputs)
            for number, step in enumerate(program.steps, start=1)
        )
    )


@dataclass(frozen=True, slots=True)
class QuantizedConvolution(Operation):
    """A convolution of uint8 by int8, summed in int32.

    Attributes:
        weight: int8, laid out by oneDNN.
        scales: (out channels,), of the weight.
        bias: (out channels,) float32.
        window: of its rows, and of its columns.
        relu: whether negative outputs become 0.
        source: grid of what is convolved.
        addend: grid of what is added (before the ReLU); None if nothing is.
        target: grid of the output; None for float32.
    """

    weight: Tensor
    scales: Tensor
    bias: Tensor
    window: Window
    relu: bool
    source: Grid
    addend: Grid | None
    target: Grid | None

    @classmethod
    def of(
        cls, convolution: Convolution, source: Grid, addend: Grid | None, target: Grid | None
    ) -> "QuantizedConvolution":
        """Round a convolution's weight, each output channel by itself."""
        weight, window = convolution.weight, convolution.window
        scales = weight.abs().amax(dim=(1, 2, 3)) / _WEIGHT_LEVELS
        scales.clamp_(min=torch.finfo(torch.float32).tiny)  # a channel of zeros wants any scale but 0
        integers = (weight / scales.view(-1, 1, 1, 1)).round().to(torch.int8)
        packed = torch.ops.onednn.qconv_prepack(
            integers, scales, source.scale, source.zero_point, *_geometry(window, window.padding), None
        )
        return cls(packed, scales, convolution.bias, window, convolution.relu, source, addend, target)

    @property
    def geometries(self) -> tuple[Geometry, ...]:
        return (self.window,) if self.addend is None else (self.window, PIXELWISE)

    def __call__(self, inputs: Sequence[Rows], wanted: Span) -> Tensor:
        x, rows_padding = framed(inputs[0], self.window, wanted, self.source.zero_point)
        weight_zeros = torch.zeros(len(self.scales), dtype=torch.int32)
        operands = (x, self.source.scale, self.source.zero_point, self.weight, self.scales, weight_zeros)
        target, dtype = (_FLOATS, torch.float32) if self.target is None else (self.target, torch.uint8)
        rest = (self.bias, *_geometry(self.window, rows_padding), target.scale, target.zero_point, dtype)
        relu = "relu" if self.relu else "none"
        convolution = torch.ops.onednn.qconv2d_pointwise
        if self.addend is None:
            y = convolution(*operands, *rest, relu, [], "")
        else:
            total, grid = self._total(inputs[1].tensor, self.addend)
            y = convolution.binary(*operands, total, *rest, grid.scale, grid.zero_point, "sum", 1.0, relu, [], "")
        return y  # type: ignore[no-any-return]

    def transposed(self) -> Operation:
        raise NotImplementedError("a program is transposed before it is quantized")

    def _total(self, addend: Tensor, grid: Grid) -> tuple[Tensor, Grid]:
        """A copy of what is added, for the sum takes its place; of the output's type, for oneDNN adds like to like."""
        if self.target is None:
            return grid.values(addend).contiguous(memory_format=torch.channels_last), _FLOATS
        return addend.clone(memory_format=torch.channels_last), grid


@dataclass(frozen=True, slots=True)
class OnGrids(Operation):
    """A floating-point operation some of whose inputs, or whose output, are uint8.

    Attributes:
        operation: float32.
        sources: grids of its inputs; None where they are float32.
        target: grid of its output, or None.
    """

    operation: Operation
    sources: tuple[Grid | None, ...]
    target: Grid | None

    @property
    def geometries(self) -> tuple[Geometry, ...]:
        return self.operation.geometries

    def __call__(self, inputs: Sequence[Rows], wanted: Span) -> Tensor:
        values = [
            rows if grid is None else replace(rows, tensor=grid.values(rows.tensor))
            for rows, grid in zip(inputs, self.sources, strict=True)
        ]
        y = self.operation(values, wanted)
        return y if self.target is None else self.target.round(y)

    def transposed(self) -> Operation:
        return replace(self, operation=self.operation.transposed())


def _quantized(operation: Operation, sources: Sequence[Grid | None], target: Grid | None) -> Operation:
    if isinstance(operation, Convolution) and sources[0] is not None:
        return QuantizedConvolution.of(operation, sources[0], sources[1] if operation.adds else None, target)
    if target is None and not any(sources):
        return operation
    return OnGrids(operation, tuple(sources), target)


def _geometry(window: Window, rows_padding: int) -> tuple[list[int], list[int], list[int], int]:
    """Stride, padding, dilation and groups."""
    return [window.stride] * 2, [rows_padding, window.padding], [1, 1], 1
