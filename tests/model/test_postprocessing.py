from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from model import postprocessing
from model.postprocessing import LogitsTransform, Postprocessor, argmax, argmax_and_confidence, probabilities
from model.upsampling import BilinearUpsampling, LearnedUpsampling, Upsampling
from tests.model.random_upsampling import learned_upsampling, random_numbers


class _LargestTensor(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the number of elements of the largest new tensor; views of ``given`` do not count."""

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


def _postprocessed(scores: Tensor, upsampling: Upsampling, transform: LogitsTransform, *cuts: int) -> Tensor:
    """Postprocess scores (K, h, w) that come in parts, to (channels, factor * h, factor * w)."""
    postprocessor = Postprocessor(upsampling, transform, scores.shape[1])
    edges = [0, *cuts, scores.shape[1]]
    bands = [band for top, bottom in pairwise(edges) for band in postprocessor.push(scores[None, :, top:bottom])]
    return torch.cat(bands, dim=2)[0]


@pytest.mark.parametrize("cuts", [(), (1,), (3, 4, 6)])
@pytest.mark.parametrize("band_numbers", [1, 3000, 1 << 23])
@pytest.mark.parametrize("upsampling", [BilinearUpsampling(5, 8), learned_upsampling(5, 8)])
def test_what_is_read_does_not_depend_on_the_bands(
    upsampling: Upsampling, band_numbers: int, cuts: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postprocessing, "_MAX_BAND_NUMBERS", band_numbers)
    scores = random_numbers(5, 7, 6) * 3
    logits = upsampling(scores[None])[0]
    classes = logits.argmax(dim=0).to(torch.uint8)
    confidence = (logits.softmax(dim=0).amax(dim=0) * 255).round().to(torch.uint8)
    assert torch.equal(_postprocessed(scores, upsampling, argmax, *cuts), classes[None])
    assert torch.equal(
        _postprocessed(scores, upsampling, argmax_and_confidence, *cuts), torch.stack([classes, confidence])
    )
    expected = logits.softmax(dim=0)
    torch.testing.assert_close(_postprocessed(scores, upsampling, probabilities, *cuts), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("upsampling", [BilinearUpsampling(5, 8), learned_upsampling(5, 8)])
def test_transposed_scores_give_transposed_pixels(upsampling: Upsampling) -> None:
    scores = random_numbers(1, 5, 7, 6)
    (band,) = Postprocessor(upsampling, argmax, 6, transposed=True).push(scores.mT)
    assert torch.equal(band.mT, upsampling(scores).argmax(dim=1, keepdim=True).to(torch.uint8))


@pytest.mark.parametrize("upsampling", [BilinearUpsampling(5, 8), learned_upsampling(5, 8)])
def test_a_batch_is_decoded_image_by_image(upsampling: Upsampling) -> None:
    scores = random_numbers(3, 5, 7, 6)
    (band,) = Postprocessor(upsampling, argmax, 7).push(scores)
    assert torch.equal(band, upsampling(scores).argmax(dim=1, keepdim=True).to(torch.uint8))


@pytest.mark.parametrize("transform", [argmax, argmax_and_confidence, probabilities])
@pytest.mark.parametrize("upsampling", [BilinearUpsampling(5, 8), LearnedUpsampling(5, 8)])
def test_no_tensor_grows_with_the_number_of_rows(
    upsampling: Upsampling, transform: LogitsTransform, monkeypatch: pytest.MonkeyPatch
) -> None:
    band_numbers = 5 * 16 * 96
    monkeypatch.setattr(postprocessing, "_MAX_BAND_NUMBERS", band_numbers)
    pattern = random_numbers(5, 10, 12).float()
    largest = []
    for repeats in (10, 40):
        scores = pattern.repeat(1, repeats, 1)
        postprocessor = Postprocessor(upsampling, transform, scores.shape[1])
        with torch.inference_mode(), _LargestTensor(scores) as tensors:
            for _ in postprocessor.push(scores[None]):
                pass
        largest.append(tensors.numel)
    assert largest[0] == largest[1]
    assert 0 < largest[1] <= 4 * band_numbers


def test_masks_of_a_real_size_are_decoded_without_their_logits() -> None:
    height, width, num_classes = 800, 1024, 21
    scores = functional.interpolate(
        random_numbers(1, num_classes, 10, 16).float(), scale_factor=(10, 8), mode="nearest"
    )[0]
    with torch.inference_mode(), _LargestTensor(scores) as tensors:
        mask = _postprocessed(scores, BilinearUpsampling(num_classes, 8), argmax)
    assert mask.shape == (1, height, width)
    assert tensors.numel < height * width * num_classes / 4
