"""Convolutions with our own kernel, if it has been compiled: float32, on CPUs, 3x3 with stride 1."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model.kernels.winograd import channel_multiple, convolve, library, transform_weight
from model.streaming.operations import Convolution
from model.streaming.rows import Rows, Window

_WINDOW = Window(size=3, stride=1, padding=1)


@dataclass(frozen=True, slots=True)
class WinogradConvolution(Convolution):
    """A convolution computed in tiles of four rows and columns.

    Attributes:
        kernels: library of the compiled kernels.
        is_transposed: whether to use the kernels with rows and columns exchanged.
    """

    kernels: ctypes.CDLL | None = None
    is_transposed: bool = False

    @property
    def row_multiple(self) -> int:
        # An output's last bits depend on its position in its tile, so bands of whole tiles equal the whole image.
        return 4

    def __call__(self, inputs: Sequence[Rows], wanted: range) -> Tensor:
        assert self.kernels is not None
        needed = self.window.needed(wanted)
        addend = inputs[1].parts if self.adds else ()
        above = inputs[0].start - needed.start
        return convolve(
            self.kernels,
            inputs[0].parts,
            self.weight,
            self.bias,
            addend,
            relu=self.relu,
            padding_above=above,
            out_rows=len(wanted),
            is_transposed=self.is_transposed,
        )

    def transposed(self) -> "WinogradConvolution":
        """Return the transposed convolution, sharing the weight, which is four times as large as the network's."""
        return replace(self, is_transposed=not self.is_transposed)


def winograd_convolution(convolution: Convolution) -> WinogradConvolution | None:
    """Return the convolution with our kernel; None if the kernel does not support it, or is missing."""
    kernels = library()
    weight = convolution.weight
    if kernels is None or convolution.window != _WINDOW or weight.dtype != torch.float32:
        return None
    multiple = channel_multiple(kernels)
    if weight.shape[0] % multiple or weight.shape[1] % multiple:
        return None
    transformed = transform_weight(kernels, weight)
    bias = convolution.bias.contiguous()
    return WinogradConvolution(transformed, bias, convolution.window, convolution.relu, convolution.adds, kernels)
