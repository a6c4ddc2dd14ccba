"""Transposed convolution: from scores on a coarse grid to logits, or straight to the winning class, of each pixel."""

from model.upsampling.kernel import bilinear_kernel
from model.upsampling.layers import BilinearUpsampling, LearnedUpsampling, Upsampling

__all__ = ["BilinearUpsampling", "LearnedUpsampling", "Upsampling", "bilinear_kernel"]
