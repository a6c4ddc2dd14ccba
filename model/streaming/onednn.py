"""Convolutions by oneDNN's fused kernels, as TorchInductor calls them: weights laid out once, sum and ReLU included.

They equal torch's own convolutions bit for bit. What they save is the copy of the weights into oneDNN's layout, which
torch makes at every call: much where a band has few rows of many channels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from model.streaming.operations import Convolution, Operation
from model.streaming.program import Program, Step

_DTYPES = (torch.float32, torch.bfloat16)


@dataclass(frozen=True, slots=True)
class FusedConvolution(Convolution):
    """A convolution whose weight is laid out as oneDNN likes it, which depends neither on sizes nor on padding."""

    def convolve(self, x: Tensor, padding: tuple[int, int], addend: Tensor | None) -> Tensor:
        stride, relu = [self.window.stride] * 2, "relu" if self.relu else None
        convolution = torch.ops.mkldnn._convolution_pointwise
        if addend is None:
            y = convolution(x, self.weight, self.bias, padding, stride, [1, 1], 1, relu or "none", [], "")
        else:
            y = convolution.binary(
                x, addend, self.weight, self.bias, padding, stride, [1, 1], 1, "add", None, relu, [], None
            )
        return y  # type: ignore[no-any-return]


def fuse(program: Program) -> Program:
    """The program with oneDNN's convolutions, where it has them: on CPUs, in float32 and bfloat16."""
    return Program(tuple(Step(_fused(step.operation), step.inputs) for step in program.steps))


def _fused(operation: Operation) -> Operation:
    if not isinstance(operation, Convolution) or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return operation
    weight, window = operation.weight, operation.window
    if weight.device.type != "cpu" or weight.dtype not in _DTYPES:
        return operation
    stride, padding = [window.stride] * 2, [window.padding] * 2
    packed = torch.ops.mkldnn._reorder_convolution_weight(weight, padding, stride, [1, 1], 1)
    return FusedConvolution(packed, operation.bias, window, operation.relu, operation.adds)
