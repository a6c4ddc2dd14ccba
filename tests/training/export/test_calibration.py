from dataclasses import replace

import numpy as np
import pytest
import torch

from model.checkpoint import Checkpoint
from model.networks import Architecture
from model.preprocessing import Preprocessing
from tests.model.random_checkpoint import random_checkpoint
from training.export.calibration import calibrate


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return replace(
        random_checkpoint(Architecture.FCN8S_CONTEXT),
        preprocessing=Preprocessing(mean=(0.2, 0.4, 0.6), std=(0.5, 0.25, 0.125)),
    )


def test_an_image_is_seen_whole_normalised_and_padded_with_the_mean_colour(checkpoint: Checkpoint) -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    padded = np.full((64, 96, 3), checkpoint.preprocessing.mean_color, dtype=np.uint8)
    padded[:50, :70] = image
    images = checkpoint.preprocessing(torch.from_numpy(padded).permute(2, 0, 1)[None])
    scores = checkpoint.build().scores(images)
    ranges = calibrate(checkpoint, [image]).activation_ranges
    assert ranges[0] == (images.min().item(), images.max().item())
    assert ranges[-1] == pytest.approx((scores.min().item(), scores.max().item()), rel=1e-4)


def test_ranges_cover_all_images_and_replace_older_ones(checkpoint: Checkpoint) -> None:
    dark, light = np.zeros((32, 32, 3), dtype=np.uint8), np.full((32, 32, 3), 255, dtype=np.uint8)
    ranges = calibrate(replace(checkpoint, activation_ranges=((-99, 99),)), iter([dark, light])).activation_ranges
    assert ranges[0] == pytest.approx((-0.6 / 0.125, 0.4 / 0.125), rel=1e-5)
    for both, *alone in zip(
        ranges,
        calibrate(checkpoint, [dark]).activation_ranges,
        calibrate(checkpoint, [light]).activation_ranges,
        strict=True,
    ):
        assert both == (min(low for low, _ in alone), max(high for _, high in alone))
