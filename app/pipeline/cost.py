"""What a request costs, told from the head of its image before any work."""

from dataclasses import dataclass
from enum import StrEnum

from app.formats.rendering import MaskEncoding, OutputFormat
from app.pipeline.options import Options
from app.problems import IMAGE_DAMAGED, TOO_MANY_PIXELS, ProblemError
from model.networks.fcn import ALIGNMENT, aligned
from model.tiling import Tiling, TilingLimits, overlapping_rectangles

USUAL_PHOTOGRAPH = 384, 512
"""Height and width, as the network sees it: what stands for all until some have come."""

_OVERHEAD_PIXELS = 1 << 14
"""What any image costs besides its pixels, in pixels."""

_IMAGE_BYTES = 3
"""Of a decoded pixel."""

_MASK_BYTES = 1

_BAND_BYTES = 2
"""Of a pixel of an image that is predicted by bands: rows that layers keep."""

WHOLE_BYTES = 180
"""Of a pixel that is predicted in one pass: the outputs of layers."""

_OVERLAP_BYTES = 10
"""Of a pixel that is predicted by overlapping rectangles: their scores, until they are averaged."""

_ANSWER_BYTES = {
    OutputFormat.PNG: 1,
    OutputFormat.CONFIDENCE: 2,
    OutputFormat.OVERLAY: 7,
}
_JSON_BYTES = {
    MaskEncoding.NONE: 1,
    MaskEncoding.PNG: 4,
    MaskEncoding.ROWS: 6,
    MaskEncoding.RLE: 9,
}
"""Of a pixel of an answer, at most, while it is made."""


class Size(StrEnum):
    """What an image is to the service.

    ``PHOTOGRAPH``: one short pass predicts it. ``LARGE``: it is predicted band by band.
    """

    PHOTOGRAPH = "photograph"
    LARGE = "large"


@dataclass(frozen=True, slots=True)
class Price:
    """What a request costs.

    Attributes:
        size: which kind of image it is.
        pixels: of the image.
        work_pixels: that the network sees, padding and overlaps included, and the overhead of any image.
        decode_bytes: of memory while it is decoded.
        work_bytes: of memory while it is predicted and its answer made.
        answer_bytes: of memory until its answer is sent, at most.
        is_streamed: whether the answer is sent while it is being made.
    """

    size: Size
    pixels: int
    work_pixels: int
    decode_bytes: int
    work_bytes: int
    answer_bytes: int
    is_streamed: bool

    @property
    def peak_bytes(self) -> int:
        return max(self.decode_bytes, self.work_bytes)


def price(height: int, width: int, decode_bytes: int, options: Options, limits: TilingLimits, max_pixels: int) -> Price:
    """What an image costs.

    Args:
        height: of the image.
        width: likewise.
        decode_bytes: of memory that decoding it takes.
        options: that the client asked for.
        limits: how images are cut.
        max_pixels: the most that an image may have.

    Raises:
        ProblemError: it has no pixels, or too many.
        TilingError: it cannot be cut in the way asked for.
    """
    _require_size(height, width, max_pixels)
    way = limits.choose(height, width, options.tiling)
    padded = aligned(height) * aligned(width)
    is_photograph = way is Tiling.WHOLE and padded <= limits.photograph_pixels
    answer_bytes = _answer_bytes(options)
    held = _IMAGE_BYTES + _MASK_BYTES + answer_bytes + (0 if is_photograph else _network_bytes(way))
    return Price(
        Size.PHOTOGRAPH if is_photograph else Size.LARGE,
        height * width,
        _OVERHEAD_PIXELS + _seen_pixels(height, width, way, limits),
        decode_bytes,
        padded * held,
        padded * answer_bytes,
        options.output.is_streamed and limits.is_streamed(height, width, options.tiling),
    )


def _answer_bytes(options: Options) -> int:
    """Of a pixel of an answer, at most, while it is made."""
    match options.output:
        case OutputFormat.JSON:
            return _JSON_BYTES[options.mask]
        case OutputFormat() as output:
            return _ANSWER_BYTES[output]
        case rendering:
            return rendering.pixel_bytes


def _network_bytes(way: Tiling) -> int:
    """A photograph's are not among them: so many are predicted at once, and the bound of the memory has them."""
    match way:
        case Tiling.WHOLE:
            return WHOLE_BYTES
        case Tiling.OVERLAP:
            return _OVERLAP_BYTES
        case _:
            return _BAND_BYTES


def _seen_pixels(height: int, width: int, way: Tiling, limits: TilingLimits) -> int:
    if way is not Tiling.OVERLAP:
        return aligned(height) * aligned(width)
    return sum(
        place.height * place.width
        for place in overlapping_rectangles(height, width, limits.overlap_height, limits.overlap_width)
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
