"""Convolutions with cuDNN's fused kernels, which include the following sum and ReLU."""

from dataclasses import dataclass

import torch
from torch import Tensor

from model.streaming.operations import Convolution, Operation
from model.streaming.program import Program
from model.streaming.step import Step

_DILATION = [1, 1]
_GROUPS = 1


@dataclass(frozen=True, slots=True)
class CudnnConvolution(Convolution):
    """A convolution whose kernel includes the ReLU."""

    def convolve(self, x: Tensor, padding: tuple[int, int], addend: Tensor | None) -> Tensor:
        stride = [self.window.stride] * 2
        if addend is None:
            return torch.cudnn_convolution_relu(x, self.weight, self.bias, stride, padding, _DILATION, _GROUPS)
        return torch.cudnn_convolution_add_relu(
            x, self.weight, addend, 1, self.bias, stride, padding, _DILATION, _GROUPS
        )


def fuse_cudnn(program: Program) -> Program:
    """Replace convolutions followed by a ReLU by cuDNN's fused ones."""
    return Program(tuple(Step(_fused(step.operation), step.inputs) for step in program.steps))


def _fused(operation: Operation) -> Operation:
    if type(operation) is not Convolution or not operation.relu:
        return operation
    return CudnnConvolution(operation.weight, operation.bias, operation.window, operation.relu, operation.adds)
