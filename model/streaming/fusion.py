"""The fastest kernels that a CPU has for a program's operations."""

from model.streaming.onednn import FusedConvolution, fused_convolution
from model.streaming.operations import Convolution, Operation
from model.streaming.program import Program, Step
from model.streaming.quantization import QuantizedConvolution
from model.streaming.strips import join_strips
from model.streaming.winograd import winograd_convolution


def fuse(program: Program) -> Program:
    """The program with convolutions of our own or oneDNN's, where there are some: on CPUs, in float32 and bfloat16."""
    fused = Program(tuple(Step(_fused(step.operation), step.inputs) for step in program.steps))
    is_ours = isinstance(fused.steps[0].operation, FusedConvolution | QuantizedConvolution)
    return join_strips(fused) if is_ours else fused


def _fused(operation: Operation) -> Operation:
    if not isinstance(operation, Convolution) or operation.weight.device.type != "cpu":
        return operation
    return winograd_convolution(operation) or fused_convolution(operation) or operation
