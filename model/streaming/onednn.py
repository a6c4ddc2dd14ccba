"""Convolutions by oneDNN's fused kernels, as TorchInductor calls them: sum and ReLU included.

They equal torch's own convolutions bit for bit. With AVX-512 weights are laid out once: the copy that torch makes at
every call is much where a band has few rows of many channels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from model.streaming.operations import Convolution

_DTYPES = (torch.float32, torch.bfloat16)


@dataclass(frozen=True, slots=True)
class FusedConvolution(Convolution):
    """A convolution that ends with the sum and the ReLU."""

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


def fused_convolution(convolution: Convolution) -> FusedConvolution | None:
    """The convolution by oneDNN's kernel; None where it has none for the type."""
    if convolution.weight.dtype not in _DTYPES or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    weight, window = _laid_out(convolution), convolution.window
    return FusedConvolution(weight, convolution.bias, window, convolution.relu, convolution.adds)


def _laid_out(convolution: Convolution) -> Tensor:
    """The weight as oneDNN likes it for all sizes; without AVX-512 that depends on the size, so it stays as it is."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return convolution.weight
    stride, padding = [convolution.window.stride] * 2, [convolution.window.padding] * 2
    packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(convolution.weight, padding, stride, [1, 1], 1)
    return packed
