from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from model import decoding
from model.decoding import decode_confidence, decode_mask
from model.tiling import ScoreMap
from model.upsampling import BilinearUpsampling, LearnedUpsampling, Upsampling


class _LargestTensor(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers the number of elements of the largest tensor made; a view of ``given`` is not one."""

    def __init__(self, given: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.numel = 0
        self._given = given.untyped_storage().data_ptr()

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: Iterable[type],
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, Tensor) and tensor.untyped_storage().data_ptr() != self._given:
                self.numel = max(self.numel, tensor.numel())
        return result


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _learned(num_classes: int, factor: int) -> LearnedUpsampling:
    upsampling = LearnedUpsampling(num_classes, factor).double().requires_grad_(False)
    upsampling.weight.add_(_random(*upsampling.weight.shape, seed=1), alpha=0.1)
    return upsampling


@pytest.mark.parametrize("band_numbers", [1, 3000, 1 << 23])
@pytest.mark.parametrize("upsampling", [BilinearUpsampling(5, 8), _learned(5, 8)])
def test_masks_and_confidence_do_not_depend_on_the_bands(
    upsampling: Upsampling, band_numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_MAX_BAND_NUMBERS", band_numbers)
    scores = _random(5, 7, 6) * 3
    logits = upsampling(scores[None])[0, :, :51, :45]
    maps = [ScoreMap(0, 0, scores)]
    mask = decode_mask(maps, upsampling, 51, 45)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, logits.argmax(dim=0).numpy())
    confidence = decode_confidence(maps, upsampling, 51, 45)
    assert confidence.dtype == np.uint8
    np.testing.assert_array_equal(confidence, (logits.softmax(dim=0).amax(dim=0) * 255).round().numpy())


@pytest.mark.parametrize("band_numbers", [1, 3000, 1 << 23])
def test_logits_are_averaged_where_maps_overlap(band_numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_MAX_BAND_NUMBERS", band_numbers)
    upsampling = BilinearUpsampling(4, 8)
    upper, lower = _random(4, 4, 5, seed=2), _random(4, 4, 5, seed=3)
    total = functional.pad(upsampling(upper[None])[0], (0, 0, 0, 13))
    total += functional.pad(upsampling(lower[None])[0], (0, 0, 13, 0))
    count = torch.ones(45, 1, dtype=torch.float64)
    count[13:32] = 2
    mean = total / count
    maps = [ScoreMap(0, 0, upper), ScoreMap(13, 0, lower)]
    np.testing.assert_array_equal(decode_mask(maps, upsampling, 45, 40), mean.argmax(dim=0).numpy())
    expected = (mean.softmax(dim=0).amax(dim=0) * 255).round().numpy()
    np.testing.assert_array_equal(decode_confidence(maps, upsampling, 45, 40), expected)


@pytest.mark.parametrize("decode", [decode_mask, decode_confidence])
@pytest.mark.parametrize("upsampling", [BilinearUpsampling(5, 8), LearnedUpsampling(5, 8)])
def test_no_tensor_grows_with_the_number_of_rows(
    upsampling: Upsampling, decode: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    band_numbers = 5 * 16 * 96
    monkeypatch.setattr(decoding, "_MAX_BAND_NUMBERS", band_numbers)
    pattern = _random(5, 10, 12).float()
    largest = []
    for repeats in (10, 40):
        scores = pattern.repeat(1, repeats, 1)
        with torch.inference_mode(), _LargestTensor(scores) as tensors:
            decode([ScoreMap(0, 0, scores)], upsampling, repeats * 10 * 8, 96)
        largest.append(tensors.numel)
    assert largest[0] == largest[1]
    assert band_numbers <= largest[1] <= 4 * band_numbers


def test_masks_of_a_real_size_are_decoded_without_their_logits() -> None:
    height, width, num_classes = 800, 1024, 21
    scores = functional.interpolate(_random(1, num_classes, 10, 16).float(), scale_factor=(10, 8), mode="nearest")[0]
    with torch.inference_mode(), _LargestTensor(scores) as tensors:
        mask = decode_mask([ScoreMap(0, 0, scores)], BilinearUpsampling(num_classes, 8), height, width)
    assert mask.shape == (height, width)
    assert tensors.numel < height * width * num_classes / 4
