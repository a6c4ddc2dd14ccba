"""Floating-point types to predict in."""

from enum import StrEnum

import torch


class Precision(StrEnum):
    """``float32`` is what scores are measured in. ``bfloat16`` halves the time on processors and GPUs that know it (of
    CPUs those with avx512_bf16 or AMX), and lets a pixel in some thousands change sides where two classes are close.
    """

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"

    @property
    def dtype(self) -> torch.dtype:
        return torch.bfloat16 if self is Precision.BFLOAT16 else torch.float32
