"""Transposed convolution written for readability: slow, simple, and the reference for testing the fast forms.

Source: *Dive into Deep Learning* 14.10.
"""

import torch
from torch import Tensor


def transposed_convolution(x: Tensor, kernel: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """Compute by definition: every input element adds its multiple of the kernel to the output, ``stride`` apart.

    Args:
        x: (in_channels, height, width).
        kernel: (in_channels, out_channels, kernel_height, kernel_width).
        stride: distance, in output pixels, between the kernels of neighbouring input elements.
        padding: rows and columns *removed* from each side of the output.

    Returns:
        (out_channels, (height - 1) * stride + kernel_height - 2 * padding, the same for the width).
    """
    in_channels, height, width = x.shape
    _, out_channels, kernel_height, kernel_width = kernel.shape
    y = x.new_zeros(out_channels, (height - 1) * stride + kernel_height, (width - 1) * stride + kernel_width)
    for channel in range(in_channels):
        for i in range(height):
            for j in range(width):
                top, left = i * stride, j * stride
                y[:, top : top + kernel_height, left : left + kernel_width] += x[channel, i, j] * kernel[channel]
    return y[:, padding : y.shape[1] - padding, padding : y.shape[2] - padding]


def convolution_matrix(kernel: Tensor, height: int, width: int, stride: int = 1, padding: int = 0) -> Tensor:
    """Build the matrix M for which ``M @ image.flatten()`` is the convolution of an image with a kernel.

    ``M.T @ scores.flatten()`` is then the transposed convolution, hence the name.

    Args:
        kernel: (kernel_height, kernel_width).
        height: height of the image.
        width: width of the image.
        stride: stride of the convolution.
        padding: padding of the convolution.

    Returns:
        (output height * output width, height * width).
    """
    kernel_height, kernel_width = kernel.shape
    out_height = (height + 2 * padding - kernel_height) // stride + 1
    out_width = (width + 2 * padding - kernel_width) // stride + 1
    matrix = kernel.new_zeros(out_height * out_width, height * width)
    for row in range(out_height):
        for column in range(out_width):
            padded = torch.zeros(height + 2 * padding, width + 2 * padding, dtype=kernel.dtype)
            top, left = row * stride, column * stride
            padded[top : top + kernel_height, left : left + kernel_width] = kernel
            inside = padded[padding : padding + height, padding : padding + width]
            matrix[row * out_width + column] = inside.flatten()
    return matrix
