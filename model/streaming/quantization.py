"""A program in 8-bit integers: oneDNN's convolutions of uint8 by int8, four products at a time on CPUs with VNNI.

Inputs of convolutions are uint8, over their measured range (``calibration``), also while they wait in a stream: a
quarter of float32's memory. Values that are max-pooled to such an input are uint8 too; all others stay float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from model.errors import CheckpointError
from model.streaming.onednn import is_product, matrix_product
from model.streaming.operations import PIXELWISE, Convolution, MaxPooling, Operation, padded
from model.streaming.program import Program
from model.streaming.quantization_params import QuantizationParams
from model.streaming.rows import Geometry, Rows, Window
from model.streaming.step import Step

Range = tuple[float, float]
"""Measured minimum and maximum of an activation."""

_WEIGHT_LEVELS = 127
"""Steps between 0 and a channel's largest weight."""

_FLOATS = QuantizationParams(1.0, 0)
"""Parameters that oneDNN expects for float32."""


def quantize(program: Program, ranges: Sequence[Range]) -> Program:
    """Quantize a float32 program on a CPU; for a transposed image, quantize the transposed program.

    Args:
        program: traced float32 program.
        ranges: range of each value of the program by its number; number 0 is the image.

    Raises:
        CheckpointError: the ranges do not belong to this program.
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
        weight: int8, in oneDNN's layout.
        scales: scale of the weight per output channel, (out channels,).
        bias: (out channels,) float32.
        window: window along rows and along columns.
        relu: whether negative outputs become 0.
        source: quantization parameters of the input; a float32 input, such as the image, is quantized first.
        addend: quantization parameters of the value added before the ReLU; None if none is added.
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
    ) -> Self:
        """Quantize a convolution's weight, with a scale per output channel."""
        weight, window = convolution.weight, convolution.window
        scales = weight.abs().amax(dim=(1, 2, 3)) / _WEIGHT_LEVELS
        scales.clamp_(min=torch.finfo(torch.float32).tiny)  # for a channel of zeros, any scale but 0 will do
        integers = (weight / scales.view(-1, 1, 1, 1)).round().to(torch.int8)
        packed = cls._laid_out(integers, scales, source, window)
        return cls(packed, scales, convolution.bias, window, convolution.relu, source, addend, target)

    @property
    def geometries(self) -> tuple[Geometry, ...]:
        return (self.window,) if self.addend is None else (self.window, PIXELWISE)

    def __call__(self, inputs: Sequence[Rows], wanted: range) -> Tensor:
        x, rows_padding = padded(self._rounded(inputs[0]), self.window, wanted, self.source.zero_point)
        rest = (self.bias, *_geometry(self.window, rows_padding), *self._output)
        convolution = torch.ops.onednn.qconv2d_pointwise
        if self.addend is None:
            y = convolution(*self._operands(x), *rest, self._activation, [], "")
        else:
            total, params = self._total(inputs[1].tensor, self.addend)
            addition = (params.scale, params.zero_point, "sum", 1.0)
            y = convolution.binary(*self._operands(x), total, *rest, *addition, self._activation, [], "")
        return y  # type: ignore[no-any-return]

    def transposed(self) -> Operation:
        raise NotImplementedError("a program is transposed before it is quantized")

    @staticmethod
    def _laid_out(weight: Tensor, scales: Tensor, source: QuantizationParams, window: Window) -> Tensor:
        """Reorder the int8 weight to oneDNN's layout."""
        geometry = _geometry(window, window.padding)
        packed: Tensor = torch.ops.onednn.qconv_prepack(
            weight, scales, source.scale, source.zero_point, *geometry, None
        )
        return packed

    @property
    def _activation(self) -> str:
        return "relu" if self.relu else "none"

    @property
    def _output(self) -> tuple[float, int, torch.dtype]:
        """Scale, zero point and data type of the output."""
        if self.target is None:
            return _FLOATS.scale, _FLOATS.zero_point, torch.float32
        return self.target.scale, self.target.zero_point, torch.uint8

    def _rounded(self, rows: Rows) -> Rows:
        return replace(rows, parts=(self.source.quantize(rows.tensor),)) if rows.tensor.is_floating_point() else rows

    def _operands(self, x: Tensor) -> tuple[Tensor, float, int, Tensor, Tensor, Tensor]:
        """Return input and weight, each with scale and zero points."""
        weight_zeros = torch.zeros(len(self.scales), dtype=torch.int32)
        return x, self.source.scale, self.source.zero_point, self.weight, self.scales, weight_zeros

    def _total(self, addend: Tensor, params: QuantizationParams) -> tuple[Tensor, QuantizationParams]:
        """Copy the addend, which the sum overwrites, in the output's data type, because oneDNN requires equal types."""
        if self.target is None:
            return params.dequantize(addend).contiguous(memory_format=torch.channels_last), _FLOATS
        return addend.clone(memory_format=torch.channels_last), params


@dataclass(frozen=True, slots=True)
class QuantizedPointwiseConvolution(QuantizedConvolution):
    """A 1x1 convolution without a sum, as a matrix product (see ``onednn`` for the reason)."""

    @staticmethod
    def _laid_out(weight: Tensor, scales: Tensor, source: QuantizationParams, window: Window) -> Tensor:  # noqa: ARG004
        packed: Tensor = torch.ops.onednn.qlinear_prepack(weight.flatten(1), None)
        return packed

    def __call__(self, inputs: Sequence[Rows], wanted: range) -> Tensor:  # noqa: ARG002 (they are those of the inputs)
        def product(matrix: Tensor) -> Tensor:
            operands = self._operands(matrix)
            y: Tensor = torch.ops.onednn.qlinear_pointwise(
                *operands, self.bias, *self._output, self._activation, [], ""
            )
            return y

        return matrix_product(self._rounded(inputs[0]).tensor, self.window.stride, product)


@dataclass(frozen=True, slots=True)
class QuantizedMaxPooling(MaxPooling):
    """The greatest uint8 in each window, which represents the greatest number."""

    def __call__(self, inputs: Sequence[Rows], wanted: range) -> Tensor:
        x, rows_padding = padded(inputs[0], self.window, wanted, 0)
        size, stride, padding = [self.window.size] * 2, [self.window.stride] * 2, [rows_padding, self.window.padding]
        y: Tensor = torch.ops.quantized.max_pool2d(x, size, stride, padding, [1, 1], False)
        return y


@dataclass(frozen=True, slots=True)
class DequantizedOperation(Operation):
    """A floating-point operation with a quantized output or some quantized inputs.

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
            rows if params is None else replace(rows, parts=(params.dequantize(rows.tensor),))
            for rows, params in zip(inputs, self.sources, strict=True)
        ]
        y = self.operation(values, wanted)
        return y if self.target is None else self.target.quantize(y)

    def transposed(self) -> Operation:
        return replace(self, operation=self.operation.transposed())


def _params(program: Program, ranges: Sequence[Range]) -> list[QuantizationParams | None]:
    """Return the quantization parameters of each value of the program by its number; None if it stays float32."""
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
        kind = QuantizedPointwiseConvolution if is_product(operation) else QuantizedConvolution
        return kind.of(operation, sources[0], sources[1] if operation.adds else None, target)
    if isinstance(operation, MaxPooling) and sources[0] is not None:
        return QuantizedMaxPooling(operation.window)
    if target is None and not any(sources):
        return operation
    return DequantizedOperation(operation, tuple(sources), target)


def _geometry(window: Window, rows_padding: int) -> tuple[list[int], list[int], list[int], int]:
    """Stride, padding, dilation and groups."""
    return [window.stride] * 2, [rows_padding, window.padding], [1, 1], 1
