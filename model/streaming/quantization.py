"""A program in 8-bit integers: oneDNN's convolutions of uint8 by int8, which CPUs with VNNI multiply four at a time.

Inputs of convolutions are uint8, over the range measured for them (``calibration``), also while they wait in a stream:
a quarter of float32's memory. So is what is max-pooled to such an input; all else stays float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model.errors import CheckpointError
from model.streaming.operations import PIXELWISE, Convolution, MaxPooling, Operation, padded
from model.streaming.program import Program, Step
from model.streaming.quantization_params import QuantizationParams
from model.streaming.rows import Geometry, Rows, Window

Range = tuple[float, float]
"""Minimum and maximum that an activation was seen to have."""

_WEIGHT_LEVELS = 127
"""Steps between 0 and a channel's largest weight."""

_FLOATS = QuantizationParams(1.0, 0)
"""Parameters that oneDNN expects for float32."""


def quantize(program: Program, ranges: Sequence[Range]) -> Program:
    """A float32 program on a CPU in integers; a transposed one is made of the transposed program.

    Args:
        program: float32 program, as traced.
        ranges: range of each value of the program by its number; number 0 is the image.

    Raises:
        CheckpointError: the ranges are not those of this program.
    """
    if len(ranges) != len(program.steps) + 1:
        raise CheckpointError(
            f"there are ranges of {len(ranges)} values for a network of {len(program.steps) + 1}; "
            "calibrate the checkpoint again"
        )
    params = _params(program, ranges)
    return Program(
        tuple(
            Step(_quantized(step.operation, [params[source] for source in step.inputs], params[number]), step.inputs)
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
        window: window along rows and along columns.
        relu: whether negative outputs become 0.
        source: quantization parameters of the input, which is rounded if it is the image and so float32.
        addend: quantization parameters of what is added before the ReLU; None if nothing is.
        target: quantization parameters of the output; None for float32.
    """

    weight: Tensor
    scales: Tensor
    bias: Tensor
    window: Window
    relu: bool
    source: QuantizationParams
    addend: QuantizationParams | None
    target: QuantizationParams | None

    @classmethod
    def of(
        cls,
        convolution: Convolution,
        source: QuantizationParams,
        addend: QuantizationParams | None,
        target: QuantizationParams | None,
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

    def __call__(self, inputs: Sequence[Rows], wanted: range) -> Tensor:
        rows = inputs[0]
        if rows.tensor.is_floating_point():
            rows = replace(rows, tensor=self.source.quantize(rows.tensor))
        x, rows_padding = padded(rows, self.window, wanted, self.source.zero_point)
        weight_zeros = torch.zeros(len(self.scales), dtype=torch.int32)
        operands = (x, self.source.scale, self.source.zero_point, self.weight, self.scales, weight_zeros)
        target, dtype = (_FLOATS, torch.float32) if self.target is None else (self.target, torch.uint8)
        rest = (self.bias, *_geometry(self.window, rows_padding), target.scale, target.zero_point, dtype)
        relu = "relu" if self.relu else "none"
        convolution = torch.ops.onednn.qconv2d_pointwise
        if self.addend is None:
            y = convolution(*operands, *rest, relu, [], "")
        else:
            total, params = self._total(inputs[1].tensor, self.addend)
            y = convolution.binary(*operands, total, *rest, params.scale, params.zero_point, "sum", 1.0, relu, [], "")
        return y  # type: ignore[no-any-return]

    def transposed(self) -> Operation:
        raise NotImplementedError("a program is transposed before it is quantized")

    def _total(self, addend: Tensor, params: QuantizationParams) -> tuple[Tensor, QuantizationParams]:
        """A copy of what is added, for the sum takes its place; of the output's type, for oneDNN adds like to like."""
        if self.target is None:
            return params.dequantize(addend).contiguous(memory_format=torch.channels_last), _FLOATS
        return addend.clone(memory_format=torch.channels_last), params


@dataclass(frozen=True, slots=True)
class QuantizedMaxPooling(MaxPooling):
    """The greatest uint8 in each window, which stands for the greatest number."""

    def __call__(self, inputs: Sequence[Rows], wanted: range) -> Tensor:
        x, rows_padding = padded(inputs[0], self.window, wanted, 0)
        size, stride, padding = [self.window.size] * 2, [self.window.stride] * 2, [rows_padding, self.window.padding]
        y: Tensor = torch.ops.quantized.max_pool2d(x, size, stride, padding, [1, 1], False)
        return y


@dataclass(frozen=True, slots=True)
class DequantizedOperation(Operation):
    """A floating-point operation some of whose inputs, or whose output, are uint8.

    Attributes:
        operation: the float32 operation.
        sources: quantization parameters of its inputs; None where they are float32.
        target: quantization parameters of its output; None if it is float32.
    """

    operation: Operation
    sources: tuple[QuantizationParams | None, ...]
    target: QuantizationParams | None

    @property
    def geometries(self) -> tuple[Geometry, ...]:
        return self.operation.geometries

    def __call__(self, inputs: Sequence[Rows], wanted: range) -> Tensor:
        values = [
            rows if params is None else replace(rows, tensor=params.dequantize(rows.tensor))
            for rows, params in zip(inputs, self.sources, strict=True)
        ]
        y = self.operation(values, wanted)
        return y if self.target is None else self.target.quantize(y)

    def transposed(self) -> Operation:
        return replace(self, operation=self.operation.transposed())


def _params(program: Program, ranges: Sequence[Range]) -> list[QuantizationParams | None]:
    """Quantization parameters of each value of the program by its number; None for those that stay float32."""
    integers = {source for step in program.steps if isinstance(step.operation, Convolution) for source in step.inputs}
    params = [
        QuantizationParams.covering(*bounds) if number in integers else None for number, bounds in enumerate(ranges)
    ]
    for number, step in enumerate(program.steps, start=1):
        if isinstance(step.operation, MaxPooling) and params[number] is not None:
            (source,) = step.inputs
            params[source] = params[number] = QuantizationParams.covering(*ranges[source])
    return params


def _quantized(
    operation: Operation, sources: Sequence[QuantizationParams | None], target: QuantizationParams | None
) -> Operation:
    if isinstance(operation, Convolution) and sources[0] is not None:
        return QuantizedConvolution.of(operation, sources[0], sources[1] if operation.adds else None, target)
    if isinstance(operation, MaxPooling) and sources[0] is not None:
        return QuantizedMaxPooling(operation.window)
    if target is None and not any(sources):
        return operation
    return DequantizedOperation(operation, tuple(sources), target)


def _geometry(window: Window, rows_padding: int) -> tuple[list[int], list[int], list[int], int]:
    """Stride, padding, dilation and groups."""
    return [window.stride] * 2, [rows_padding, window.padding], [1, 1], 1
