"""Tests of int8 run where the CPU can compute in it."""

import pytest

from model.streaming import supports_quantization

needs_vnni = pytest.mark.skipif(
    not supports_quantization(), reason="this CPU has no 8-bit dot products (VNNI), or PyTorch no oneDNN"
)
