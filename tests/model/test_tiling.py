import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from model.checkpoint import Checkpoint
from model.errors import TilingError
from model.networks import Architecture, NetworkConfig
from model.tiling import Halo, ScoreMap, Tiling, TilingLimits, compute_scores, network_halo, plan_tiles
from model.tiling.plan import Plan
from model.upsampling import BilinearUpsampling, LearnedUpsampling
from tests.model.random_checkpoint import random_checkpoint

HALO = Halo(before=64, after=32)
SIDES = st.one_of(st.integers(1, 100), st.integers(101, 900))


def _aligned(pixels: int) -> int:
    return (pixels + 31) // 32 * 32


def _plan(height: int, width: int, tiling: Tiling, halo: Halo = HALO, **limits: int) -> Plan:
    return plan_tiles(height, width, tiling, TilingLimits(**limits), halo)


@pytest.mark.parametrize("architecture", list(Architecture))
def test_the_halo_follows_from_the_networks_geometry_alone(architecture: Architecture) -> None:
    halo = network_halo(NetworkConfig(architecture, num_classes=4, width=4))
    assert halo == network_halo(NetworkConfig(architecture, learned_upsampling=False))
    if architecture is Architecture.FCN32S:
        assert halo == Halo(before=224, after=192)


def test_a_shallower_network_needs_a_smaller_halo_and_a_deeper_one_a_larger() -> None:
    shallow, usual, deep = (network_halo(NetworkConfig(blocks=(1, 1, 1, count))) for count in (1, 2, 6))
    assert shallow.before < usual.before < deep.before
    assert shallow.after < usual.after < deep.after


@settings(max_examples=30, deadline=None)
@given(height=SIDES, width=SIDES)
def test_cores_of_exact_tiles_cover_the_aligned_image_once(height: int, width: int) -> None:
    plan = _plan(height, width, Tiling.EXACT, tile_size=160)
    covered = np.zeros((_aligned(height), _aligned(width)), dtype=np.int64)
    for tile in plan.tiles:
        core = tile.core
        covered[core.top : core.bottom, core.left : core.right] += 1
    assert (covered == 1).all()
    assert sum(tile.core.height * tile.core.width for tile in plan.tiles) == covered.size


@settings(max_examples=30, deadline=None)
@given(height=SIDES, width=SIDES)
def test_exact_tiles_are_aligned_within_the_aligned_image_and_keep_their_halo(height: int, width: int) -> None:
    bottom, right = _aligned(height), _aligned(width)
    for tile in _plan(height, width, Tiling.EXACT, tile_size=160).tiles:
        source, core = tile.source, tile.core
        numbers = (source.top, source.left, source.height, source.width, core.top, core.left, core.height, core.width)
        assert all(number % 32 == 0 for number in numbers)
        assert 0 <= source.top < source.bottom <= bottom
        assert 0 <= source.left < source.right <= right
        assert source.height <= 160
        assert source.width <= 160
        assert source.top == 0 or core.top - source.top >= HALO.before
        assert source.left == 0 or core.left - source.left >= HALO.before
        assert source.bottom == bottom or source.bottom - core.bottom >= HALO.after
        assert source.right == right or source.right - core.right >= HALO.after


@settings(max_examples=30, deadline=None)
@given(height=SIDES, width=SIDES)
def test_overlapping_rectangles_cover_the_image(height: int, width: int) -> None:
    plan = _plan(height, width, Tiling.OVERLAP, overlap_height=96, overlap_width=128)
    assert not plan.stitched
    covered = np.zeros((height, width), dtype=np.int64)
    for tile in plan.tiles:
        source = tile.source
        assert tile.core == source
        assert source.height % 32 == source.width % 32 == 0
        assert 32 <= source.height <= 96
        assert 32 <= source.width <= 128
        assert min(source.top, source.left) >= 0
        assert height < 32 or source.bottom <= height
        assert width < 32 or source.right <= width
        covered[source.top : source.bottom, source.left : source.right] += 1
    assert covered.min() >= 1


def test_the_books_image_takes_four_of_the_books_rectangles() -> None:
    plan = _plan(375, 500, Tiling.OVERLAP)
    sources = [(t.source.top, t.source.left, t.source.height, t.source.width) for t in plan.tiles]
    assert sources == [(0, 0, 320, 480), (0, 20, 320, 480), (55, 0, 320, 480), (55, 20, 320, 480)]


def test_whole_is_one_rectangle_padded_to_multiples_of_32() -> None:
    plan = _plan(375, 500, Tiling.WHOLE)
    assert [(t.source.top, t.source.left, t.source.height, t.source.width) for t in plan.tiles] == [(0, 0, 384, 512)]


def test_auto_is_whole_up_to_the_tiles_budget_and_exact_above() -> None:
    assert _plan(160, 160, Tiling.AUTO, tile_size=160) == _plan(160, 160, Tiling.WHOLE)
    assert _plan(32, 800, Tiling.AUTO, tile_size=160) == _plan(32, 800, Tiling.WHOLE)
    above = _plan(161, 160, Tiling.AUTO, tile_size=160)
    assert above == _plan(161, 160, Tiling.EXACT, tile_size=160)
    assert len(above.tiles) > 1


def test_auto_never_takes_whole_where_whole_is_refused() -> None:
    limits = TilingLimits(tile_size=160, max_whole_pixels=32 * 800 - 1)
    with pytest.raises(TilingError):
        plan_tiles(32, 800, Tiling.WHOLE, limits, HALO)
    plan = plan_tiles(32, 800, Tiling.AUTO, limits, HALO)
    assert plan == plan_tiles(32, 800, Tiling.EXACT, limits, HALO)
    assert len(plan.tiles) > 1


def test_tiles_too_small_for_the_halo_are_refused_with_the_least_size_that_works() -> None:
    with pytest.raises(TilingError, match=r"tiles of 96 pixels .* take at least 128"):
        _plan(97, 10, Tiling.EXACT, tile_size=96)
    assert len(_plan(97, 10, Tiling.EXACT, tile_size=128).tiles) == 1
    assert len(_plan(1000, 10, Tiling.EXACT, tile_size=128).tiles) > 1
    assert len(_plan(96, 96, Tiling.EXACT, tile_size=96).tiles) == 1


def test_an_image_too_large_for_whole_is_refused() -> None:
    with pytest.raises(TilingError, match=r"500 x 375 pixels is too large .* up to 196607 pixels"):
        _plan(375, 500, Tiling.WHOLE, max_whole_pixels=384 * 512 - 1)
    assert len(_plan(375, 500, Tiling.WHOLE, max_whole_pixels=384 * 512).tiles) == 1


@pytest.mark.parametrize("side", [0, -32, 31, 100])
@pytest.mark.parametrize("name", ["tile_size", "overlap_height", "overlap_width"])
def test_sides_that_are_no_multiples_of_32_are_refused(name: str, side: int) -> None:
    with pytest.raises(TilingError, match=f"positive multiple of 32, not {side}"):
        TilingLimits(**{name: side})


def _score_maps(checkpoint: Checkpoint, image: NDArray[np.uint8], plan: Plan) -> list[ScoreMap]:
    network = checkpoint.build().double()

    def forward(tile: NDArray[np.uint8]) -> Tensor:
        images = torch.from_numpy(tile.copy()).permute(2, 0, 1)[None]
        return network.scores(checkpoint.preprocessing(images, torch.float64))[0]

    with torch.inference_mode():
        return compute_scores(plan, image, forward, network.stride, checkpoint.preprocessing.mean_color)


@pytest.mark.parametrize("learned_upsampling", [False, True])
@pytest.mark.parametrize("architecture", list(Architecture))
def test_exact_scores_and_logits_equal_those_of_the_whole_image(
    architecture: Architecture, learned_upsampling: bool
) -> None:
    checkpoint = random_checkpoint(architecture, learned_upsampling=learned_upsampling)
    halo = network_halo(checkpoint.config)
    limits = TilingLimits(tile_size=halo.before + halo.after + 64)
    height, width = limits.tile_size + 90, limits.tile_size + 150
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    exact_plan = plan_tiles(height, width, Tiling.EXACT, limits, halo)
    assert len(exact_plan.tiles) >= 4
    (exact,) = _score_maps(checkpoint, image, exact_plan)
    (whole,) = _score_maps(checkpoint, image, plan_tiles(height, width, Tiling.WHOLE, limits, halo))
    assert whole.scores.std() > 0.1
    torch.testing.assert_close(exact.scores, whole.scores, rtol=0, atol=1e-9)
    upsampling = checkpoint.build().double().upsampling
    with torch.inference_mode():
        logits = upsampling(whole.scores[None])[0, :, :height]
        torch.testing.assert_close(exact.logits(upsampling, 0, height), logits, rtol=0, atol=1e-9)


def test_a_halo_one_cell_too_small_would_show() -> None:
    checkpoint = random_checkpoint()
    halo = network_halo(checkpoint.config)
    image = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    (whole,) = _score_maps(checkpoint, image, plan_tiles(400, 400, Tiling.WHOLE, TilingLimits(), halo))
    for small in (Halo(halo.before - 32, halo.after), Halo(halo.before, halo.after - 32)):
        plan = plan_tiles(400, 400, Tiling.EXACT, TilingLimits(tile_size=288), small)
        (wrong,) = _score_maps(checkpoint, image, plan)
        assert (wrong.scores - whole.scores).abs().max() > 1e-9


@settings(max_examples=20, deadline=None)
@given(first=st.integers(0, 95), rows=st.integers(1, 96), factor=st.sampled_from([2, 8, 32]), learned=st.booleans())
def test_a_band_of_a_score_maps_logits_is_that_band_of_all_its_logits(
    first: int, rows: int, factor: int, learned: bool
) -> None:
    random = torch.Generator().manual_seed(0)
    scores = torch.randn(3, 96 // factor, 2, generator=random, dtype=torch.float64)
    upsampling: BilinearUpsampling | LearnedUpsampling = BilinearUpsampling(3, factor)
    if learned:
        upsampling = LearnedUpsampling(3, factor).double().requires_grad_(False)
        upsampling.weight.copy_(torch.randn(upsampling.weight.shape, generator=random, dtype=torch.float64))
    last = min(96, first + rows)
    band = ScoreMap(0, 0, scores).logits(upsampling, first, last)
    torch.testing.assert_close(band, upsampling(scores[None])[0, :, first:last], rtol=0, atol=1e-12)
