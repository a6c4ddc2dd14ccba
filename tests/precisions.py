"""Skipping tests of precisions in which the CPU cannot compute."""

import pytest
import torch

from model.capabilities import available_precisions
from model.precision import Precision


def _needs(precision: Precision) -> pytest.MarkDecorator:
    is_missing = precision not in available_precisions(torch.device("cpu"))
    return pytest.mark.skipif(is_missing, reason=f"this CPU does not compute in {precision}")


needs_bfloat16 = _needs(Precision.BFLOAT16)
needs_int8 = _needs(Precision.INT8)
