import math

import pytest
import torch
from torch import Tensor

from model.errors import CheckpointError
from model.weight_compression import StorageDtype, compress_weights, decompress_weights

LARGE = (120, 1024, 3, 3)


@pytest.fixture(scope="module")
def kernel() -> Tensor:
    """A kernel whose channels have very different ranges; one has only zeros, one only tiny numbers."""
    random = torch.Generator().manual_seed(0)
    kernel = torch.randn(LARGE, generator=random) * torch.logspace(-6, 3, len(range(LARGE[0]))).view(-1, 1, 1, 1)
    kernel[7] = 0
    kernel[8] = 1e-42
    return kernel


@pytest.fixture(scope="module")
def tensors(kernel: Tensor) -> dict[str, Tensor]:
    return compress_weights({"conv.weight": kernel}, StorageDtype.INT8)


def test_int8_keeps_one_byte_a_weight_and_one_scale_an_output_channel(tensors: dict[str, Tensor]) -> None:
    assert tensors.keys() == {"network.conv.weight", "scale.conv.weight"}
    assert tensors["network.conv.weight"].dtype == torch.int8
    assert tensors["network.conv.weight"].shape == LARGE
    assert tensors["scale.conv.weight"].dtype == torch.float32
    assert tensors["scale.conv.weight"].shape == LARGE[:1]


def test_int8_is_off_by_half_a_step_of_the_channel_at_most(kernel: Tensor, tensors: dict[str, Tensor]) -> None:
    error = (decompress_weights(tensors)["conv.weight"] - kernel).abs().amax(dim=(1, 2, 3))
    step = kernel.abs().amax(dim=(1, 2, 3)) / 127
    assert (error[9:] <= 0.5 * step[9:] * (1 + 1 / 256)).all()  # the scale is rounded to 8 bits
    assert error[7] == 0
    assert error[8] <= 1e-42


def test_int8_uses_all_levels_and_both_signs(tensors: dict[str, Tensor]) -> None:
    levels = tensors["network.conv.weight"][9:].flatten(1)
    assert (levels.abs().amax(dim=1) == 127).all()
    assert levels.min() == -127
    assert levels.max() == 127


@pytest.mark.parametrize("storage_dtype", StorageDtype)
def test_compacting_what_was_compacted_changes_nothing(kernel: Tensor, storage_dtype: StorageDtype) -> None:
    once = compress_weights({"conv.weight": kernel}, storage_dtype)
    twice = compress_weights(decompress_weights(once), storage_dtype)
    assert once.keys() == twice.keys()
    assert all(torch.equal(tensor, twice[name]) for name, tensor in once.items())


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ((116, 1000, 3, 3), "too few numbers"),
        ((1024, 1024, 1, 1), "no 3x3 kernel"),
        ((21, 21, 64, 64), "an upsampling kernel"),
        ((1024, 1024), "no kernel"),
    ],
)
def test_everything_but_large_3x3_kernels_is_float16(shape: tuple[int, ...], why: str) -> None:
    weight = torch.linspace(-1, 1, math.prod(shape)).view(shape)
    tensors = compress_weights({"weight": weight}, StorageDtype.INT8)
    assert tensors.keys() == {"network.weight"}, why
    assert tensors["network.weight"].dtype == torch.float16


def test_a_large_kernel_that_is_not_finite_stays_as_it_is() -> None:
    weight = torch.zeros(LARGE)
    weight[0, 0, 0, 0] = torch.inf
    assert torch.equal(decompress_weights(compress_weights({"weight": weight}, StorageDtype.INT8))["weight"], weight)


def test_counters_and_statistics_come_back_as_they_were() -> None:
    weights = {"bn.num_batches_tracked": torch.tensor(7), "bn.running_var": torch.tensor([1e9, 1 / 3])}
    restored = decompress_weights(compress_weights(weights, StorageDtype.INT8))
    assert restored["bn.num_batches_tracked"].dtype == torch.int64
    assert all(torch.equal(restored[name], weight) for name, weight in weights.items())


def test_a_missing_scale_is_refused(tensors: dict[str, Tensor]) -> None:
    with pytest.raises(CheckpointError, match=r"weight conv\.weight is int8 and has no scale"):
        decompress_weights({"network.conv.weight": tensors["network.conv.weight"]})


def test_a_scale_without_an_int8_weight_is_refused(tensors: dict[str, Tensor]) -> None:
    scale = tensors["scale.conv.weight"]
    message = r"there is a scale for conv\.weight, but no int8 weight"
    with pytest.raises(CheckpointError, match=message):
        decompress_weights({"scale.conv.weight": scale})
    with pytest.raises(CheckpointError, match=message):
        decompress_weights({"scale.conv.weight": scale, "network.conv.weight": torch.zeros(LARGE)})


@pytest.mark.parametrize("scale", [torch.ones(119), torch.ones(1), torch.ones(120, 1), torch.ones(120).half()])
def test_a_scale_of_another_shape_or_type_is_refused(tensors: dict[str, Tensor], scale: Tensor) -> None:
    with pytest.raises(
        CheckpointError, match=r"the scale of conv\.weight is \(\d+,.*its int8 weight \(120, 1024, 3, 3\)"
    ):
        decompress_weights({**tensors, "scale.conv.weight": scale})


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_scale_that_is_not_above_zero_is_refused(tensors: dict[str, Tensor], value: float) -> None:
    scale = tensors["scale.conv.weight"].clone()
    scale[3] = value
    with pytest.raises(CheckpointError, match=r"the scale of conv\.weight is not above 0 everywhere"):
        decompress_weights({**tensors, "scale.conv.weight": scale})
