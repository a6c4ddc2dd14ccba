"""Transposed convolution: from scores on a coarse grid to each pixel's logits, or directly to its winning class."""

from model.upsampling.kernel import bilinear_kernel
from model.upsampling.layers import BilinearUpsampling, LearnedUpsampling, Upsampling

__all__ = ["BilinearUpsampling", "LearnedUpsampling", "Upsampling", "bilinear_kernel"]
