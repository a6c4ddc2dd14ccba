import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.streaming.quantization_params import QuantizationParams

BOUNDS = st.floats(-1e6, 1e6, width=32)


@given(one=BOUNDS, other=BOUNDS, share=st.floats(0, 1))
def test_a_number_in_the_range_comes_back_within_half_a_step(one: float, other: float, share: float) -> None:
    low, high = min(one, other), max(one, other)
    params = QuantizationParams.covering(low, high)
    number = torch.tensor([low + share * (high - low)])
    rounding = 1e-4  # in steps: float32 has 24 bits, and an integer 8 of them
    assert (params.dequantize(params.quantize(number)) - number).abs().item() <= (0.5 + rounding) * params.scale


@given(one=BOUNDS, other=BOUNDS, integer=st.integers(0, 255))
def test_an_integer_comes_back_as_itself(one: float, other: float, integer: int) -> None:
    params = QuantizationParams.covering(min(one, other), max(one, other))
    integers = torch.tensor([integer], dtype=torch.uint8)
    assert torch.equal(params.quantize(params.dequantize(integers)), integers)


@given(one=BOUNDS, other=BOUNDS)
def test_zero_is_on_every_grid(one: float, other: float) -> None:
    params = QuantizationParams.covering(min(one, other), max(one, other))
    assert 0 <= params.zero_point <= 255
    zero = torch.zeros(1)
    assert torch.equal(params.dequantize(params.quantize(zero)), zero)


@given(low=st.floats(-1e6, -1), high=st.floats(1, 1e6))
def test_a_grid_is_no_wider_than_its_range(low: float, high: float) -> None:
    params = QuantizationParams.covering(low, high)
    assert params.scale * 255 == pytest.approx(high - low)


def test_what_lies_beyond_the_grid_becomes_its_nearest_end() -> None:
    params = QuantizationParams.covering(-1, 1)
    integers = params.quantize(torch.tensor([-9.0, 9.0, float("-inf"), float("inf")]))
    assert integers.tolist() == [0, 255, 0, 255]
