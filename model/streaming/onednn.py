"""Convolutions with oneDNN's fused kernels, called as TorchInductor does: sum and ReLU included.

In float32 they equal torch's own convolutions bit for bit. With AVX-512, weights are reordered once: torch's copy at
every call is expensive for bands with few rows of many channels.

In bfloat16 and in integers, oneDNN prefers another weight layout for a 1x1 convolution at some image sizes than if the
size is unknown. It then reorders the weight at every call, which takes ten times as long as the convolution. As a
matrix product, the convolution has one layout for all sizes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from model.streaming.operations import Convolution

_DTYPES = (torch.float32, torch.bfloat16)


@dataclass(frozen=True, slots=True)
class FusedConvolution(Convolution):
    """A convolution whose kernel includes the sum and the ReLU."""

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


@dataclass(frozen=True, slots=True)
class PointwiseConvolution(FusedConvolution):
    """A 1x1 convolution without a sum, as a matrix product."""

    def convolve(self, x: Tensor, padding: tuple[int, int], addend: Tensor | None) -> Tensor:  # noqa: ARG002 (none)
        activation = "relu" if self.relu else "none"
        return matrix_product(
            x,
            self.window.stride,
            lambda matrix: torch.ops.mkldnn._linear_pointwise(matrix, self.weight, self.bias, activation, [], ""),
        )


def matrix_product(x: Tensor, stride: int, product: Callable[[Tensor], Tensor]) -> Tensor:
    """Compute a 1x1 convolution as a matrix product.

    Args:
        x: (batch, channels, rows, width), channels_last.
        stride: stride along rows and along columns.
        product: function (pixels, channels) -> (pixels, out channels).

    Returns:
        (batch, out channels, rows / stride, width / stride), channels_last.
    """
    pixels = x[:, :, ::stride, ::stride].permute(0, 2, 3, 1)
    y = product(pixels.reshape(-1, pixels.shape[-1]))
    return y.view(*pixels.shape[:-1], -1).permute(0, 3, 1, 2)


def fused_convolution(convolution: Convolution) -> FusedConvolution | None:
    """Return the convolution with oneDNN's kernel; None if oneDNN has none for its data type."""
    if convolution.weight.dtype not in _DTYPES or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    # Not in float32: the order of summation would change, and the layout is the same for all sizes anyway.
    if convolution.weight.dtype == torch.bfloat16 and is_product(convolution):
        weight = torch.ops.mkldnn._reorder_linear_weight(convolution.weight.flatten(1).contiguous())
        return PointwiseConvolution(weight, convolution.bias, convolution.window, convolution.relu)
    weight, window = _laid_out(convolution), convolution.window
    return FusedConvolution(weight, convolution.bias, window, convolution.relu, convolution.adds)


def is_product(convolution: Convolution) -> bool:
    """Whether a convolution is a plain matrix product: of size 1, without padding and sum."""
    return convolution.window.size == 1 and convolution.window.padding == 0 and not convolution.adds


def _laid_out(convolution: Convolution) -> Tensor:
    """Reorder the weight to oneDNN's layout; unchanged without AVX-512, where that depends on the image size."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return convolution.weight
    stride, padding = [convolution.window.stride] * 2, [convolution.window.padding] * 2
    packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(convolution.weight, padding, stride, [1, 1], 1)
    return packed
