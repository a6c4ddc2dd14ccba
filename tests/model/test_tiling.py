import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from model.errors import TilingError
from model.networks.fcn import aligned
from model.tiling import ScoreMap, Tiling, TilingLimits, averaging, mean_logits, sliding_windows
from model.upsampling import BilinearUpsampling, Upsampling
from tests.model.random_upsampling import learned_upsampling, random_numbers

SIDES = st.one_of(st.integers(1, 100), st.integers(101, 900))


@settings(max_examples=30)
@given(height=SIDES, width=SIDES)
def test_overlapping_rectangles_cover_the_image(height: int, width: int) -> None:
    covered = np.zeros((height, width), dtype=np.int64)
    for place in sliding_windows(height, width, 96, 128):
        assert place.height % 32 == place.width % 32 == 0
        assert 32 <= place.height <= 96
        assert 32 <= place.width <= 128
        assert min(place.top, place.left) >= 0
        assert height < 32 or place.bottom <= height
        assert width < 32 or place.right <= width
        covered[place.top : place.bottom, place.left : place.right] += 1
    assert covered.min() >= 1


def test_the_books_image_takes_four_of_the_books_rectangles() -> None:
    places = sliding_windows(375, 500, 320, 480)
    assert [(place.top, place.left) for place in places] == [(0, 0), (0, 20), (55, 0), (55, 20)]
    assert {(place.height, place.width) for place in places} == {(320, 480)}


def test_auto_is_whole_for_photographs_and_exact_above() -> None:
    limits = TilingLimits(small_image_pixels=160 * 160)
    assert limits.choose(160, 160, Tiling.AUTO) is Tiling.WHOLE
    assert limits.choose(32, 800, Tiling.AUTO) is Tiling.WHOLE
    assert limits.choose(161, 160, Tiling.AUTO) is Tiling.EXACT


@pytest.mark.parametrize("tiling", [Tiling.WHOLE, Tiling.EXACT, Tiling.OVERLAP])
def test_what_was_asked_for_is_done(tiling: Tiling) -> None:
    assert TilingLimits().choose(1, 1, tiling) is tiling
    assert TilingLimits().choose(1000, 2000, tiling) is tiling


def test_an_image_too_large_for_whole_is_refused() -> None:
    with pytest.raises(TilingError, match=r"500 x 375 pixels is too large .* up to 196607 pixels"):
        TilingLimits(max_whole_pixels=384 * 512 - 1).choose(375, 500, Tiling.WHOLE)
    assert TilingLimits(max_whole_pixels=384 * 512).choose(375, 500, Tiling.WHOLE) is Tiling.WHOLE


@given(height=st.integers(1, 20_000), width=st.integers(1, 100_000), band_pixels=st.integers(1024, 1 << 24))
def test_bands_are_about_equally_high_and_as_few_as_their_pixels_allow(
    height: int, width: int, band_pixels: int
) -> None:
    limits = TilingLimits(band_pixels=band_pixels)
    rows, total, padded = limits.band_rows(height, width), aligned(height), aligned(width)
    count = -(-total // rows)
    assert rows % 32 == 0
    assert rows == 32 or rows * padded <= (limits.max_band_pixels if count <= 2 else band_pixels)
    assert total - (count - 1) * rows > rows - 32 * count  # the last band lacks less than 32 rows a band
    assert count == 1 or total * padded > (count - 1) * band_pixels / 2  # whose rows are rounded to 32


@pytest.mark.parametrize(
    ("height", "width", "rows"),
    [
        (866, 1155, 896),  # a megapixel at once, and not 864 and 32 rows
        (1225, 1633, 640),  # two bands instead of three
        (1732, 2309, 448),
        (8660, 11547, 64),
        (3000, 100_000, 32),
    ],
)
def test_rows_of_the_bands_of_usual_images(height: int, width: int, rows: int) -> None:
    assert TilingLimits().band_rows(height, width) == rows


def test_bands_of_columns_are_cut_where_the_least_band_of_rows_is_too_large() -> None:
    limits = TilingLimits(band_pixels=16 * 1024)
    assert not limits.should_transpose(500, 1024)
    assert limits.should_transpose(500, 1025)
    assert not limits.should_transpose(1025, 1025)


def test_bands_of_columns_are_cut_where_more_rows_would_wait_than_memory_has() -> None:
    assert not TilingLimits().should_transpose(1000, 1 << 14)
    assert TilingLimits().should_transpose(1000, (1 << 14) + 1)
    assert TilingLimits(max_band_width=1024).should_transpose(500, 1025)


@pytest.mark.parametrize("side", [0, -32, 31, 100])
@pytest.mark.parametrize("name", ["overlap_height", "overlap_width"])
def test_sides_that_are_no_multiples_of_32_are_refused(name: str, side: int) -> None:
    with pytest.raises(TilingError, match=f"positive multiple of 32, not {side}"):
        TilingLimits(**{name: side})


def test_a_band_that_holds_no_square_is_refused() -> None:
    with pytest.raises(TilingError, match="at least 1024 pixels, not 1023"):
        TilingLimits(band_pixels=1023)


@pytest.mark.parametrize("band_numbers", [1, 3000, 1 << 23])
@pytest.mark.parametrize("upsampling", [BilinearUpsampling(4, 8), learned_upsampling(4, 8)])
def test_logits_are_averaged_where_maps_overlap(
    upsampling: Upsampling, band_numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(averaging, "_MAX_BAND_NUMBERS", band_numbers)
    upper, lower = random_numbers(4, 4, 5, seed=2), random_numbers(4, 4, 5, seed=3)
    total = functional.pad(upsampling(upper[None])[0], (0, 0, 0, 13))
    total += functional.pad(upsampling(lower[None])[0], (0, 0, 13, 0))
    count = torch.ones(45, 1, dtype=torch.float64)
    count[13:32] = 2
    bands = list(mean_logits([ScoreMap(0, 0, upper), ScoreMap(13, 0, lower)], upsampling, 45, 40))
    assert all(band.numel() <= max(band_numbers, 4 * 40) for band in bands)
    torch.testing.assert_close(torch.cat(bands, dim=1), total / count, rtol=0, atol=1e-12)
