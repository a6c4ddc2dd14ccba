import pytest

from app.formats.json import MaskEncoding
from app.formats.mask import MaskPng
from app.formats.output_format import OutputFormat
from app.pipeline.cost import Cost, Size, estimate_cost
from app.problems import IMAGE_DAMAGED, TOO_MANY_PIXELS, ProblemError
from model.tiling import Tiling, TilingLimits


def _cost(
    height: int,
    width: int,
    tiling: Tiling = Tiling.AUTO,
    output: OutputFormat = OutputFormat.PNG,
    mask: MaskEncoding = MaskEncoding.NONE,
) -> Cost:
    wanted = output.with_parameters(mask, 0.5)
    return estimate_cost(height, width, 7, wanted, tiling, TilingLimits(), max_pixels=10**8)


@pytest.mark.parametrize(
    ("size", "tiling", "expected"),
    [
        ((1024, 1024), Tiling.AUTO, Size.SMALL),
        ((1024, 1024), Tiling.WHOLE, Size.SMALL),
        ((1024, 1024), Tiling.EXACT, Size.LARGE),
        ((1024, 1024), Tiling.OVERLAP, Size.LARGE),
        ((1025, 1024), Tiling.AUTO, Size.LARGE),
        ((1025, 1024), Tiling.WHOLE, Size.LARGE),
        ((1, 10**6), Tiling.AUTO, Size.LARGE),
    ],
)
def test_what_one_short_pass_predicts_is_a_photograph(size: tuple[int, int], tiling: Tiling, expected: Size) -> None:
    assert _cost(*size, tiling).size is expected


def test_work_is_counted_in_pixels_that_the_network_sees() -> None:
    overhead = _cost(32, 32).work_pixels - 32 * 32
    assert overhead > 0
    assert _cost(33, 1).work_pixels == 64 * 32 + overhead
    # The book's windows: two by two of 320 x 480.
    assert _cost(375, 500, Tiling.OVERLAP).work_pixels == 4 * 320 * 480 + overhead


def test_memory_depends_on_what_is_asked_for() -> None:
    by_output = [_cost(4000, 4000, output=output).peak_bytes for output in OutputFormat]
    assert _cost(4000, 4000).peak_bytes == min(by_output) < max(by_output)
    by_mask = {mask: _cost(4000, 4000, output=OutputFormat.JSON, mask=mask).peak_bytes for mask in MaskEncoding}
    assert by_mask[MaskEncoding.NONE] < by_mask[MaskEncoding.ROWS] < by_mask[MaskEncoding.RLE]
    assert _cost(4000, 4000, Tiling.WHOLE).peak_bytes > 10 * _cost(4000, 4000, Tiling.EXACT).peak_bytes
    assert _cost(4000, 4000).response_bytes < _cost(4000, 4000).work_bytes


@pytest.mark.parametrize(
    ("size", "tiling", "output", "expected"),
    [
        ((4000, 4000), Tiling.AUTO, OutputFormat.PNG, True),
        ((4000, 4000), Tiling.EXACT, OutputFormat.CONFIDENCE, True),
        ((4000, 4000), Tiling.AUTO, OutputFormat.OVERLAY, False),
        ((4000, 4000), Tiling.WHOLE, OutputFormat.PNG, False),
        ((4000, 4000), Tiling.OVERLAP, OutputFormat.PNG, False),
        ((1000, 40_000), Tiling.AUTO, OutputFormat.PNG, False),
        ((300, 300), Tiling.AUTO, OutputFormat.PNG, False),
    ],
)
def test_what_is_sent_while_it_is_made(
    size: tuple[int, int], tiling: Tiling, output: OutputFormat, expected: bool
) -> None:
    assert _cost(*size, tiling, output).is_streamed is expected


def test_memory_of_rows_that_wait_grows_with_the_width_of_bands() -> None:
    square, wide, by_columns = _cost(4000, 4000), _cost(1000, 16_000), _cost(500, 32_000)
    assert wide.peak_bytes > square.peak_bytes + 12_000 * 10_000
    assert by_columns.peak_bytes < square.peak_bytes


def test_decoding_may_be_what_takes_the_most_memory() -> None:
    cost = estimate_cost(100, 100, 10**9, MaskPng(), Tiling.AUTO, TilingLimits(), max_pixels=10**8)
    assert cost.peak_bytes == cost.decode_bytes == 10**9


def test_sizes_are_bounded() -> None:
    with pytest.raises(ProblemError, match=r"0 x 5") as refused:
        _cost(5, 0)
    assert refused.value.problem is IMAGE_DAMAGED
    _cost(10_000, 10_000)
    with pytest.raises(ProblemError, match=r"10001 x 10000 = 100010000 pixels; 100000000 are allowed") as refused:
        _cost(10_000, 10_001)
    assert refused.value.problem is TOO_MANY_PIXELS
    with pytest.raises(ProblemError, match="padded to at least 32 a side"):
        _cost(1, 4_000_000)
