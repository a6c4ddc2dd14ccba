"""The kernel that makes a transposed convolution a bilinear interpolation."""

import torch
from torch import Tensor


def bilinear_kernel(in_channels: int, out_channels: int, size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Make a kernel that interpolates channel c of its input into channel c of its output.

    Upsampling by s requires ``size = 2 * s``, ``stride = s``, ``padding = s // 2`` (s even).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output; a channel without a counterpart on the other side has weights of zero.
        size: height and width of the kernel, at least 1.
        dtype: data type of the kernel.

    Returns:
        (in_channels, out_channels, size, size), as ``conv_transpose2d`` expects it; values in 0..1.

    Source:
        *Dive into Deep Learning* 14.11; the weight falls linearly from the kernel's centre to zero.
    """
    factor = (size + 1) // 2
    center = (size - 1) / 2 if size % 2 == 0 else factor - 1
    kernel = torch.zeros(in_channels, out_channels, size, size, dtype=dtype)
    if kernel.is_meta:  # nothing to fill
        return kernel
    ramp = 1 - (torch.arange(size, dtype=torch.float64) - center).abs() / factor
    shared = range(min(in_channels, out_channels))
    kernel[shared, shared] = torch.outer(ramp, ramp).to(dtype)
    return kernel
