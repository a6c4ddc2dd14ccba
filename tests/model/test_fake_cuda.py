"""Prediction on a simulated GPU: no operation mixes devices or dtypes."""

import numpy as np
import pytest
import torch

from model.cuda_options import CudaOptions
from model.networks import Architecture
from model.precision import Precision
from model.segmenter import Segmenter
from model.tiling import Tiling, TilingLimits
from tests.model.fake_cuda import CUDA, fake_cuda
from tests.model.random_checkpoint import random_checkpoint

LIMITS = TilingLimits(band_pixels=64 * 96, small_image_pixels=64 * 96)
IMAGES = {"small": (64, 96, False), "in bands": (130, 96, True), "wide": (32, 3000, False)}
"""Name -> height, width, and whether the confidence is requested."""


@pytest.mark.parametrize("precision", [Precision.FLOAT32, Precision.BFLOAT16, Precision.FLOAT64])
@pytest.mark.parametrize("architecture", Architecture)
@pytest.mark.parametrize("learned", [False, True])
def test_every_network_predicts_on_one_device(architecture: Architecture, precision: Precision, learned: bool) -> None:
    checkpoint = random_checkpoint(architecture, learned_upsampling=learned)
    with fake_cuda():
        segmenter = Segmenter(checkpoint, "cuda", LIMITS, precision)
        assert segmenter.device == CUDA
        for height, width, confidence in IMAGES.values():
            image = np.zeros((height, width, 3), np.uint8)
            assert segmenter.segment(image, confidence=confidence).mask.shape == (height, width)


@pytest.mark.parametrize("tiling", Tiling)
@pytest.mark.parametrize("confidence", [False, True])
def test_every_way_of_cutting_stays_on_the_device(tiling: Tiling, confidence: bool) -> None:
    with fake_cuda():
        segmenter = Segmenter(random_checkpoint(), "cuda", LIMITS)
        image = np.zeros((300, 160, 3), np.uint8)
        assert segmenter.segment(image, tiling=tiling, confidence=confidence).mask.shape == (300, 160)


def test_batches_stay_on_the_device() -> None:
    with fake_cuda():
        segmenter = Segmenter(random_checkpoint(), "cuda", LIMITS)
        found = segmenter.segment_together([np.zeros((64, 90 + side, 3), np.uint8) for side in range(4)])
    assert [one.mask.shape for one in found] == [(64, 90), (64, 91), (64, 92), (64, 93)]


@pytest.mark.parametrize("options", [CudaOptions(pinned_copies=True), CudaOptions(band_factor=4)])
def test_options_stay_on_the_device(options: CudaOptions) -> None:
    with fake_cuda():
        segmenter = Segmenter(random_checkpoint(), "cuda", LIMITS, cuda_options=options)
        for height, width, confidence in IMAGES.values():
            image = np.zeros((height, width, 3), np.uint8)
            assert segmenter.segment(image, confidence=confidence).mask.shape == (height, width)


def test_larger_bands_are_fewer() -> None:
    with fake_cuda():
        image = np.zeros((640, 96, 3), np.uint8)
        few, many = (
            len(list(Segmenter(random_checkpoint(), "cuda", LIMITS, cuda_options=options).bands(image)))
            for options in (CudaOptions(band_factor=4), CudaOptions())
        )
    assert 0 < few < many / 2


def test_a_tensor_on_another_device_would_be_found() -> None:
    with fake_cuda():
        segmenter = Segmenter(random_checkpoint(learned_upsampling=True), "cuda", LIMITS)
        upsampling = next(module for module in segmenter._upsampling.modules() if module._parameters)
        weight = upsampling._parameters["weight"]
        assert weight is not None
        upsampling._parameters["weight"] = torch.nn.Parameter(torch.empty(weight.shape))
        with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
            segmenter.segment(np.zeros((64, 96, 3), np.uint8))
