from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from model.labels import IGNORE_INDEX
from training.data.dataset import Sample
from training.data.soft_labels import SOFT_LABEL_STRIDE, SoftLabels
from training.data.transforms import JointTransform

STEP = 12
"""Difference of red from one class to the next: the photograph encodes its own mask."""


def _sample(height: int, width: int, cell: int = 8, seed: int = 0) -> Sample:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 21, (-(-height // cell), -(-width // cell)), dtype=np.uint8)
    mask = coarse.repeat(cell, axis=0).repeat(cell, axis=1)[:height, :width]
    columns = np.broadcast_to(np.arange(width), mask.shape)
    rows = np.broadcast_to(np.arange(height)[:, None], mask.shape)
    return Sample("made", np.stack([mask * STEP, columns, rows], axis=-1).astype(np.uint8), mask)


def _same_neighbourhood(mask: Tensor, radius: int = 2) -> Tensor:
    """Pixels whose neighbourhood, 5 x 5 by default, is within the mask and holds no other class."""
    values, side = mask[None].float(), 2 * radius + 1
    same = functional.max_pool2d(values, side, 1) == -functional.max_pool2d(-values, side, 1)
    return functional.pad(same[0], (radius, radius, radius, radius))


def _with_opinion(sample: Sample) -> Sample:
    """Add soft labels of a teacher that knows the mask."""
    cells = sample.mask[::SOFT_LABEL_STRIDE, ::SOFT_LABEL_STRIDE]
    sure = (cells == np.arange(21)[:, None, None]).astype(np.uint8) * 255
    return replace(sample, soft_labels=SoftLabels(sure))


@settings(max_examples=30)
@given(height=st.integers(1, 130), width=st.integers(1, 130), seed=st.integers(0, 10_000))
def test_without_scaling_a_crop_is_a_window_of_the_image_and_its_mask(height: int, width: int, seed: int) -> None:
    sample = _sample(height, width)
    image, mask, _ = JointTransform(crop_size=64)(sample, seed)
    assert image.shape == (3, 64, 64)
    assert mask.shape == (64, 64)
    assert image.dtype == mask.dtype == torch.uint8
    known = mask != IGNORE_INDEX
    assert int(known.sum()) == min(height, 64) * min(width, 64)
    columns, rows = image[1].numpy(), image[2].numpy()
    assert torch.equal(image[0][known], mask[known] * STEP)
    np.testing.assert_array_equal(sample.mask[rows[known], columns[known]], mask[known])
    assert len(np.unique(columns[known])) == np.ptp(columns[known]) + 1 == min(width, 64)
    assert len(np.unique(rows[known])) == np.ptp(rows[known]) + 1 == min(height, 64)


def test_padding_has_the_mean_colour_and_no_class() -> None:
    image, mask, _ = JointTransform(crop_size=64)(_sample(40, 50), seed=0)
    padded = mask == IGNORE_INDEX
    assert int(padded.sum()) == 64 * 64 - 40 * 50
    assert set(map(tuple, image[:, padded].T.tolist())) == {(124, 116, 104)}


def test_padding_is_the_same_at_every_scale_and_colour_setting_but_jitter() -> None:
    image, mask, _ = JointTransform(crop_size=64, min_scale=0.5, max_scale=0.5)(_sample(60, 60), seed=0)
    padded = mask == IGNORE_INDEX
    assert int(padded.sum()) == 64 * 64 - 30 * 30
    assert set(map(tuple, image[:, padded].T.tolist())) == {(124, 116, 104)}


@pytest.mark.parametrize("transform", [JointTransform(64), JointTransform(64, 0.5, 2.0, color_jitter=0.3)])
def test_the_seed_alone_decides(transform: JointTransform) -> None:
    sample = _sample(100, 120)
    torch.manual_seed(1)
    image, mask, _ = transform(sample, seed=5)
    torch.manual_seed(2)
    again_image, again_mask, _ = transform(sample, seed=5)
    assert torch.equal(image, again_image)
    assert torch.equal(mask, again_mask)
    others = [transform(sample, seed=seed)[1] for seed in range(6, 10)]
    assert any(not torch.equal(mask, other) for other in others)


def test_windows_and_flips_vary() -> None:
    results = [JointTransform(crop_size=64)(_sample(70, 90), seed)[0] for seed in range(40)]
    flipped = [bool(image[1, 0, 0] > image[1, 0, -1]) for image in results]
    assert 5 < sum(flipped) < 35
    assert {int(image[2].min()) for image in results} == set(range(7))


@pytest.mark.parametrize("scale", [0.5, 0.77, 1.3, 2.0])
def test_image_and_mask_stay_aligned_at_every_scale(scale: float) -> None:
    transform = JointTransform(crop_size=128, min_scale=scale, max_scale=scale)
    for seed in range(4):
        image, mask, _ = transform(_sample(110, 130, cell=24, seed=seed), seed)
        inside = _same_neighbourhood(mask) & (mask != IGNORE_INDEX)
        assert int(inside.sum()) > 500
        shown = (image[0][inside].float() / STEP).round()
        assert torch.equal(shown, mask[inside].float())


@pytest.mark.parametrize("scale", [0.63, 0.77, 1.37, 1.6])
def test_scaling_moves_the_mask_no_further_than_the_image(scale: float) -> None:
    transform = JointTransform(crop_size=192, min_scale=scale, max_scale=scale)
    shifts = []
    for left in range(20, 40):
        mask = np.zeros((96, 96), dtype=np.uint8)
        mask[:, left : left + 37] = 10
        columns = np.broadcast_to(np.arange(96, dtype=np.uint8), mask.shape)
        image, scaled, _ = transform(Sample("made", np.stack([mask * 20, columns, columns], axis=-1), mask), seed=0)
        known = scaled[0] != IGNORE_INDEX
        stripe, labelled = image[0, 0][known].double(), scaled[0][known].double()
        rightwards = 1 if image[1, 0, 0] < image[1, 0][known][-1] else -1
        places = torch.arange(len(stripe)).double() * rightwards
        middle_shown, middle_labelled = ((places * row).sum() / row.sum() for row in (stripe, labelled))
        shifts.append(float(middle_labelled - middle_shown))
    # A single border may fall to either side of a pixel's centre; on average they stay where they are.
    assert abs(np.mean(shifts)) < 0.2


def test_scales_are_drawn_from_their_range() -> None:
    transform = JointTransform(crop_size=192, min_scale=0.5, max_scale=1.5)
    heights = [int((transform(_sample(100, 100), seed)[1] != IGNORE_INDEX)[:, 0].sum()) for seed in range(30)]
    heights = [height for height in heights if height]
    assert 49 <= min(heights) < 70
    assert 120 < max(heights) <= 151


def test_the_mask_holds_no_class_that_was_not_there() -> None:
    sample = Sample("made", np.zeros((50, 50, 3), dtype=np.uint8), np.tile(np.array([[0, 20]], np.uint8), (50, 25)))
    for seed in range(5):
        _, mask, _ = JointTransform(64, 0.5, 2.0)(sample, seed)
        assert set(mask.flatten().tolist()) <= {0, 20, IGNORE_INDEX}


def test_colour_jitter_changes_the_image_and_leaves_the_mask() -> None:
    sample = _sample(64, 64)
    plain_image, plain_mask, _ = JointTransform(64)(sample, seed=3)
    image, mask, _ = JointTransform(64, color_jitter=0.3)(sample, seed=3)
    assert torch.equal(mask, plain_mask)
    assert not torch.equal(image, plain_image)
    assert image.dtype == torch.uint8


def test_the_sample_itself_stays_as_it_is() -> None:
    sample = _sample(64, 64)
    image, mask = sample.image.copy(), sample.mask.copy()
    JointTransform(64, 0.5, 2.0, color_jitter=0.3)(sample, seed=3)
    np.testing.assert_array_equal(sample.image, image)
    np.testing.assert_array_equal(sample.mask, mask)


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.0, 1.4, 2.0])
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_soft_labels_stay_aligned_with_the_mask(scale: float, stride: int) -> None:
    transform = JointTransform(128, scale, scale, soft_stride=stride)
    compared = 0
    for seed in range(12):
        _, mask, soft_labels = transform(_with_opinion(_sample(144, 192, cell=48, seed=seed)), seed)
        assert soft_labels.shape == (21, 128 // stride, 128 // stride)
        middles = (slice(stride // 2, None, stride),) * 2
        # A point's probabilities come from cells whose centres are less than 4 original pixels away.
        inside = _same_neighbourhood(mask, radius=int(4 * scale) + 2)[middles] & (mask[middles] != IGNORE_INDEX)
        of_mask = soft_labels.gather(0, mask[middles].long().clamp(max=20)[None])[0]
        assert torch.allclose(of_mask[inside], torch.ones(()), atol=1e-4)
        compared += int(inside.sum())
    assert compared > 12


def test_soft_labels_move_no_further_than_the_image() -> None:
    columns = np.broadcast_to(np.arange(0, 256, 4, dtype=np.uint8), (64, 64))
    ramp = np.broadcast_to(columns.reshape(64, 16, 4).mean(axis=-1)[::4], (21, 16, 16)).astype(np.uint8)
    sample = Sample("made", np.stack([columns] * 3, axis=-1), np.zeros((64, 64), np.uint8), SoftLabels(ramp))
    for seed in range(6):
        image, _, soft_labels = JointTransform(32, 1.5, 1.5, soft_stride=4)(sample, seed)
        shown = image[0].float().reshape(8, 4, 8, 4).mean(dim=(1, 3)) / 255
        away = (shown > 0.05) & (shown < 0.95)
        assert int(away.sum()) >= 48
        assert float((soft_labels[0] - shown)[away].abs().max()) < 0.01


def test_soft_labels_are_zero_in_padding_and_nowhere_else() -> None:
    for seed in range(4):
        _, mask, soft_labels = JointTransform(64)(_with_opinion(_sample(40, 24)), seed)
        totals = soft_labels.sum(dim=0)
        known = mask[4::8, 4::8] != IGNORE_INDEX
        assert int(known.sum()) == 5 * 3
        assert torch.allclose(totals[known], torch.ones(()))
        assert not totals[~known].any()


def test_without_a_teacher_soft_labels_are_zero_for_all_classes() -> None:
    soft_labels = JointTransform(64, soft_stride=16, num_classes=5)(_sample(64, 64), seed=0).soft_labels
    assert soft_labels.shape == (5, 4, 4)
    assert not soft_labels.any()


def test_a_teacher_changes_neither_image_nor_mask() -> None:
    transform, sample = JointTransform(64, 0.5, 2.0, color_jitter=0.3), _sample(100, 80)
    for seed in range(5):
        plain, taught = transform(sample, seed), transform(_with_opinion(sample), seed)
        assert torch.equal(plain.image, taught.image)
        assert torch.equal(plain.mask, taught.mask)


def _mostly_background() -> Sample:
    mask = np.zeros((64, 640), dtype=np.uint8)
    mask[:, 560:] = 8
    return Sample("made", np.zeros((64, 640, 3), dtype=np.uint8), mask)


def test_crops_in_which_one_class_has_too_large_a_share_are_drawn_anew() -> None:
    def seen(max_class_share: float) -> list[bool]:
        transform = JointTransform(crop_size=64, max_class_share=max_class_share)
        return [bool((transform(_mostly_background(), seed).mask == 8).any()) for seed in range(60)]

    assert np.mean(seen(0.9)) > 2 * np.mean(seen(1.0))


def test_images_of_one_class_or_none_are_cropped_all_the_same() -> None:
    transform = JointTransform(crop_size=64, max_class_share=0.75)
    for value in (0, 7, IGNORE_INDEX):
        mask = np.full((80, 90), value, dtype=np.uint8)
        assert (transform(Sample("made", np.zeros((80, 90, 3), dtype=np.uint8), mask), 0).mask == value).all()
