"""Data types to predict in."""

from enum import StrEnum

import torch


class Precision(StrEnum):
    """Precision of the network's arithmetic.

    ``auto`` is the fastest on this machine whose masks agree with those of float32 (``model.fastest``). Checkpoints are
    scored in ``float32``. ``bfloat16`` halves the time on processors and GPUs that support it (CPUs with avx512_bf16 or
    AMX) and changes the class of one pixel in some thousands, where two classes are close. ``int8`` takes two fifths of
    the time on CPUs with VNNI, needs a checkpoint whose activation ranges were measured, and changes four pixels in a
    thousand. ``float64`` is the reference for the others.
    """

    AUTO = "auto"
    FLOAT64 = "float64"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type; for ``int8``, the type of the values that are not quantized."""
        match self:
            case Precision.FLOAT64:
                return torch.float64
            case Precision.BFLOAT16:
                return torch.bfloat16
            case Precision.FLOAT32 | Precision.INT8:
                return torch.float32
            case Precision.AUTO:
                raise ValueError("auto is not a data type; load_fastest chooses one")
