"""cuDNN's kernels, replaced by their documented computation, because these tests have no GPU."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from model.networks import Architecture
from model.streaming import fuse_cudnn, run, trace_scores
from model.streaming.cudnn import CudnnConvolution
from model.streaming.operations import Convolution
from tests.model.random_checkpoint import random_checkpoint


def relu(x: Tensor, weight: Tensor, bias: Tensor, stride: list[int], padding: Sequence[int], *_: object) -> Tensor:
    return functional.conv2d(x, weight, bias, stride, tuple(padding)).relu()


def add_relu(
    x: Tensor, weight: Tensor, z: Tensor, alpha: float, bias: Tensor, stride: list[int], padding: list[int], *_: object
) -> Tensor:
    return (functional.conv2d(x, weight, bias, stride, tuple(padding)) + alpha * z).relu()


@pytest.mark.parametrize("architecture", Architecture)
def test_the_fused_program_computes_the_same(architecture: Architecture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cudnn_convolution_relu", relu)
    monkeypatch.setattr("torch.cudnn_convolution_add_relu", add_relu)
    program = trace_scores(random_checkpoint(architecture).build())
    fused = fuse_cudnn(program)
    kinds = [step.operation for step in fused.steps if isinstance(step.operation, CudnnConvolution)]
    relus = [step for step in program.steps if isinstance(step.operation, Convolution) and step.operation.relu]
    assert len(kinds) == len(relus)
    assert {operation.adds for operation in kinds} == {False, True}
    x = torch.randn(1, 3, 96, 64, generator=torch.Generator().manual_seed(0)).contiguous(
        memory_format=torch.channels_last
    )
    with torch.inference_mode():
        torch.testing.assert_close(run(fused, x), run(program, x))
