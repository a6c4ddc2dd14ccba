"""Types to predict in."""

from enum import StrEnum

import torch


class Precision(StrEnum):
    """``auto`` stands for the fastest on this machine whose masks agree with those of float32 (``model.fastest``).

    ``float32`` is what scores are measured in. ``bfloat16`` halves the time on processors and GPUs that know it (of
    CPUs those with avx512_bf16 or AMX), and lets a pixel in some thousands change sides where two classes are close.
    ``int8`` takes two fifths of it on CPUs with VNNI, of a checkpoint whose ranges were measured, and moves four
    pixels in a thousand. ``float64`` is what the others are compared with.
    """

    AUTO = "auto"
    FLOAT64 = "float64"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type; with ``int8``, that of what stays floating-point."""
        match self:
            case Precision.FLOAT64:
                return torch.float64
            case Precision.BFLOAT16:
                return torch.bfloat16
            case Precision.FLOAT32 | Precision.INT8:
                return torch.float32
            case Precision.AUTO:
                raise ValueError("auto is no type; load_fastest chooses one")
