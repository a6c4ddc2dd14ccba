"""The choice of the fastest CPU kernels for a program's operations."""

import torch

from model.streaming.onednn import FusedConvolution, fused_convolution
from model.streaming.operations import Convolution, Operation
from model.streaming.program import Program
from model.streaming.quantization import QuantizedConvolution
from model.streaming.step import Step
from model.streaming.strips import join_strips
from model.streaming.winograd import WinogradConvolution, winograd_convolution


def fuse(program: Program, twin: Program | None = None) -> Program:
    """Replace convolutions by our own kernel or oneDNN's, if available: on CPUs, in float32 and bfloat16.

    Args:
        program: traced or quantized program.
        twin: fused program of which this one is the transpose; Winograd convolutions share its weights.
    """
    known = () if twin is None else tuple(step.operation for step in twin.steps)
    # A twin has one step less if its first two were joined to strips; neither of these uses our own kernel.
    twins = (*[None] * (len(program.steps) - len(known)), *known)
    steps = zip(program.steps, twins, strict=True)
    fused = Program(tuple(Step(_fused(step.operation, other), step.inputs) for step, other in steps))
    is_ours = isinstance(fused.steps[0].operation, FusedConvolution | QuantizedConvolution)
    return join_strips(fused) if is_ours else fused


def _fused(operation: Operation, twin: Operation | None) -> Operation:
    if isinstance(twin, WinogradConvolution):
        assert isinstance(operation, Convolution)
        assert torch.equal(operation.bias, twin.bias), "another layer's twin"
        return twin.transposed()
    if not isinstance(operation, Convolution) or operation.weight.device.type != "cpu":
        return operation
    return winograd_convolution(operation) or fused_convolution(operation) or operation
