"""Tests of a precision run where the CPU computes in it."""

import pytest
import torch

from model.capabilities import supports_bfloat16, supports_int8

_CPU = torch.device("cpu")

needs_bfloat16 = pytest.mark.skipif(not supports_bfloat16(_CPU), reason="this CPU does not compute in bfloat16")
needs_int8 = pytest.mark.skipif(not supports_int8(_CPU), reason="this CPU does not compute in int8")
