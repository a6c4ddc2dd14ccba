"""The cost of a request, estimated from its image's header before any work."""

from dataclasses import dataclass
from enum import StrEnum

from app.formats.format import Format
from app.problems import IMAGE_DAMAGED, TOO_MANY_PIXELS, ProblemError
from model.networks.fcn import ALIGNMENT, aligned
from model.tiling import Tiling, TilingLimits, sliding_windows

TYPICAL_IMAGE_SIZE = 384, 512
"""Height and width of a typical small image, aligned for the network; assumed until real requests arrive."""

_OVERHEAD_PIXELS = 1 << 14
"""Fixed cost per image, in pixels."""

_IMAGE_BYTES = 3
"""Bytes per decoded pixel."""

_MASK_BYTES = 1

_WAITING_BYTES = 20_000
"""Bytes per pixel of a band's width: the rows that layers keep, in float32 (docs/benchmarks.md)."""

WHOLE_BYTES = 180
"""Bytes per pixel of an image predicted in one pass: the layers' activations."""

_OVERLAP_BYTES = 10
"""Bytes per pixel of an image predicted in sliding windows: the windows' scores, until they are averaged."""


class Size(StrEnum):
    """Size class of an image.

    ``SMALL``: predicted in one short pass. ``LARGE``: predicted band by band.
    """

    SMALL = "small"
    LARGE = "large"


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of a request.

    Attributes:
        size: size class.
        pixels: pixels of the image.
        work_pixels: pixels that the network computes, padding and overlaps included, plus the fixed cost per image.
        decode_bytes: memory while the image is decoded.
        work_bytes: memory while it is predicted and encoded.
        response_bytes: upper bound of the memory until the response is sent.
        is_streamed: whether the response's first rows are sent while the others are predicted.
    """

    size: Size
    pixels: int
    work_pixels: int
    decode_bytes: int
    work_bytes: int
    response_bytes: int
    is_streamed: bool

    @property
    def peak_bytes(self) -> int:
        return max(self.decode_bytes, self.work_bytes)


def estimate_cost(
    height: int,
    width: int,
    decode_bytes: int,
    output: Format,
    tiling: Tiling,
    limits: TilingLimits,
    max_pixels: int,
) -> Cost:
    """Estimate the cost of an image of ``height`` x ``width`` pixels.

    Args:
        height: pixels.
        width: pixels.
        decode_bytes: memory needed to decode it.
        output: requested format.
        tiling: requested tiling.
        limits: how images are cut.
        max_pixels: maximum pixels per image.

    Raises:
        ProblemError: the image has no pixels, or too many.
        TilingError: the image cannot be cut in the requested way.
    """
    _require_size(height, width, max_pixels)
    way = limits.choose(height, width, tiling)
    padded = aligned(height) * aligned(width)
    is_small = way is Tiling.WHOLE and padded <= limits.small_image_pixels
    held_bytes = padded * (_IMAGE_BYTES + _MASK_BYTES + output.pixel_bytes)
    return Cost(
        Size.SMALL if is_small else Size.LARGE,
        height * width,
        _OVERHEAD_PIXELS + _seen_pixels(height, width, way, limits),
        decode_bytes,
        held_bytes + (0 if is_small else _network_bytes(height, width, way, limits)),
        padded * output.pixel_bytes,
        output.is_streamed and limits.is_streamed(height, width, tiling),
    )


def _network_bytes(height: int, width: int, way: Tiling, limits: TilingLimits) -> int:
    """Bytes that the network needs for a large image, besides the current band's activations: the memory bound
    already includes those, and those of small images, since few are predicted at once.
    """
    padded_height, padded_width = aligned(height), aligned(width)
    match way:
        case Tiling.WHOLE:
            return WHOLE_BYTES * padded_height * padded_width
        case Tiling.OVERLAP:
            return _OVERLAP_BYTES * padded_height * padded_width
        case _:
            return _WAITING_BYTES * (padded_height if limits.should_transpose(height, width) else padded_width)


def _seen_pixels(height: int, width: int, way: Tiling, limits: TilingLimits) -> int:
    if way is not Tiling.OVERLAP:
        return aligned(height) * aligned(width)
    return sum(
        window.height * window.width
        for window in sliding_windows(height, width, limits.overlap_height, limits.overlap_width)
    )


def _require_size(height: int, width: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise ProblemError(IMAGE_DAMAGED, f"the image has size {width} x {height}")
    # A strip thinner than the network's alignment is padded to it, and costs accordingly.
    pixels = max(width, ALIGNMENT) * max(height, ALIGNMENT)
    if pixels > max_pixels:
        padded = "" if pixels == width * height else f", padded to at least {ALIGNMENT} a side"
        raise ProblemError(
            TOO_MANY_PIXELS, f"the image has {width} x {height} = {pixels} pixels{padded}; {max_pixels} are allowed"
        )
