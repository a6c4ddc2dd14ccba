from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.training.voc_folder import halves, write_voc_folder
from training.data.batches import BatchSampler, Draw, Source, batches
from training.data.dataset import VocDataset
from training.data.transforms import JointTransform
from training.errors import ConfigError


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    root = tmp_path_factory.mktemp("sets")
    first = write_voc_folder(root / "first", {f"f{index}": halves(index, index + 1) for index in range(5)})
    second = write_voc_folder(root / "second", {f"s{index}": halves(index, index + 10) for index in range(7)})
    return [Source(VocDataset(first, "train"), 3), Source(VocDataset(second, "train"), 2)]


def _draws(sources: list[Source], first_step: int, last_step: int, seed: int = 0) -> list[list[Draw]]:
    return list(BatchSampler(sources, seed, first_step, last_step))


def test_each_batch_has_its_share_of_each_source(sources: list[Source]) -> None:
    sampler = BatchSampler(sources, 0, 0, 20)
    assert len(sampler) == 20
    steps = list(sampler)
    assert len(steps) == 20
    assert all([draw.source for draw in step] == [0, 0, 0, 1, 1] for step in steps)


def test_each_sample_comes_once_before_any_comes_again(sources: list[Source]) -> None:
    steps = _draws(sources, 0, 35)
    for number, source in enumerate(sources):
        order = [draw.index for step in steps for draw in step if draw.source == number]
        size = len(source.dataset)
        epochs = [order[start : start + size] for start in range(0, len(order), size)]
        assert all(sorted(epoch) == list(range(size)) for epoch in epochs)
        assert len({tuple(epoch) for epoch in epochs}) > 1


def test_every_draw_has_its_own_seed(sources: list[Source]) -> None:
    seeds = Counter(draw.seed for step in _draws(sources, 0, 35) for draw in step)
    assert max(seeds.values()) == 1


@pytest.mark.parametrize("first_step", [1, 2, 13])
def test_starting_later_gives_what_running_there_gives(sources: list[Source], first_step: int) -> None:
    assert _draws(sources, first_step, 20) == _draws(sources, 0, 20)[first_step:]


def test_another_seed_gives_another_order(sources: list[Source]) -> None:
    assert _draws(sources, 0, 5, seed=1) == _draws(sources, 0, 5, seed=1)
    assert _draws(sources, 0, 5, seed=1) != _draws(sources, 0, 5, seed=2)


def test_the_loader_brings_the_transformed_samples_of_the_draws(sources: list[Source]) -> None:
    transform = JointTransform(crop_size=64)
    loaded = list(batches(sources, BatchSampler(sources, 0, 2, 4), transform, workers=0))
    assert len(loaded) == 2
    for (images, masks, soft_labels), draws in zip(loaded, _draws(sources, 2, 4), strict=True):
        assert images.shape == (5, 3, 64, 64)
        assert masks.shape == (5, 64, 64)
        assert images.dtype == masks.dtype == torch.uint8
        assert soft_labels.shape == (5, 21, 8, 8)
        for image, mask, draw in zip(images, masks, draws, strict=True):
            expected_image, expected_mask, _ = transform(sources[draw.source].dataset[draw.index], draw.seed)
            assert torch.equal(image, expected_image)
            assert torch.equal(mask, expected_mask)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_workers_bring_the_same_batches(sources: list[Source]) -> None:
    transform = JointTransform(crop_size=32, min_scale=0.5, max_scale=1.5, color_jitter=0.2)
    alone = list(batches(sources, BatchSampler(sources, 0, 0, 2), transform, workers=0))
    with_workers = list(batches(sources, BatchSampler(sources, 0, 0, 2), transform, workers=1))
    for (images, masks, _), (other_images, other_masks, _) in zip(alone, with_workers, strict=True):
        assert torch.equal(images, other_images)
        assert torch.equal(masks, other_masks)


def test_processes_share_out_the_batch(sources: list[Source]) -> None:
    shares = [list(BatchSampler(sources, 0, 0, 4, rank, 2)) for rank in range(2)]
    for whole, first, second in zip(_draws(sources, 0, 4), *shares, strict=True):
        assert first == whole[::2]
        assert second == whole[1::2]


def test_weighted_samples_come_as_often_as_their_chances_say(sources: list[Source]) -> None:
    weights = np.array([0.6, 0.1, 0.1, 0.1, 0.1])
    weighted = [Source(sources[0].dataset, 5, weights)]
    counts = Counter(draw.index for step in _draws(weighted, 0, 400) for draw in step)
    np.testing.assert_allclose([counts[index] / 2000 for index in range(5)], weights, atol=0.04)


def _sources_with_donors(sources: list[Source]) -> list[Source]:
    return [replace(sources[0], donor_weights=np.array([0, 0, 0, 0, 1.0])), sources[1]]


def test_with_copy_paste_crops_show_a_class_of_a_donor(sources: list[Source]) -> None:
    draws = BatchSampler(sources, 0, 0, 4)
    transform = JointTransform(crop_size=64)
    plain, pasted = (
        list(batches(_sources_with_donors(sources), draws, transform, workers=0, copy_paste=chance))
        for chance in (0.0, 1.0)
    )
    assert not all(torch.equal(one.mask, other.mask) for one, other in zip(plain, pasted, strict=True))
    for (images, masks, _), (new_images, new_masks, _) in zip(plain, pasted, strict=True):
        changed = masks != new_masks
        assert set(np.unique(new_masks[changed].numpy()).tolist()) <= {4, 5}
        assert torch.equal(images.permute(0, 2, 3, 1)[~changed], new_images.permute(0, 2, 3, 1)[~changed])


def test_copy_paste_without_donors_is_refused(sources: list[Source]) -> None:
    with pytest.raises(ConfigError, match="copy_paste needs a source with masks"):
        batches(sources, BatchSampler(sources, 0, 0, 1), JointTransform(crop_size=64), workers=0, copy_paste=0.5)
