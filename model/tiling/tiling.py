"""The ways to cut an image, and their limits."""

from dataclasses import dataclass
from enum import StrEnum

from model.errors import TilingError
from model.networks.fcn import ALIGNMENT, aligned


class Tiling(StrEnum):
    """How an image is cut.

    ``whole``: one forward pass, padded right and bottom to multiples of 32.
    ``exact``: bands of rows, each computed once: the same result as ``whole`` in memory that does not grow with the
    image's height.
    ``overlap``: the book's: rectangles that cover the image; where several cover a pixel, their transposed
    convolutions' outputs are averaged.
    ``auto``: ``whole`` for photographs of usual size, ``exact`` above.
    """

    AUTO = "auto"
    WHOLE = "whole"
    EXACT = "exact"
    OVERLAP = "overlap"


_MAX_STRETCH = 5, 4
"""Fraction of ``band_pixels`` that a band may have where that saves the image one."""


@dataclass(frozen=True, slots=True)
class TilingLimits:
    """Sizes of the parts.

    Attributes:
        band_pixels: pixels of a band of ``exact``: enough that layers have many rows, and few enough that a photograph
            need not wait long for a layer of a large image. An image's bands are equally high, and may have a quarter
            more pixels where that makes one less. A band has at least 32 rows; where these are more than
            twice as many pixels, and the image is less high than wide, bands of columns are taken.
        max_band_width: the widest image that is cut into bands of rows though it is less high than wide: the memory of
            rows that wait grows with the width.
        small_image_pixels: the largest padded image that ``auto`` takes ``whole``.
        max_whole_pixels: the largest padded image that ``whole`` takes: its memory grows with the image.
        overlap_height, overlap_width: rectangles of ``overlap``; the book's are 320 x 480.

    Raises:
        TilingError: a side is no positive multiple of 32, or a band has fewer pixels than a square of 32.
    """

    band_pixels: int = 1 << 20
    max_band_width: int = 1 << 14
    small_image_pixels: int = 1 << 20
    max_whole_pixels: int = 16_000_000
    overlap_height: int = 320
    overlap_width: int = 480

    def __post_init__(self) -> None:
        if self.band_pixels < ALIGNMENT**2:
            raise TilingError(f"a band must have at least {ALIGNMENT**2} pixels, not {self.band_pixels}")
        for side in (self.overlap_height, self.overlap_width):
            if side < ALIGNMENT or side % ALIGNMENT:
                raise TilingError(f"the side of a tile must be a positive multiple of {ALIGNMENT}, not {side}")

    def choose(self, height: int, width: int, tiling: Tiling) -> Tiling:
        """What is done with an image: ``auto`` decided.

        Raises:
            TilingError: the image is too large for ``whole``.
        """
        pixels = aligned(height) * aligned(width)
        if tiling is Tiling.AUTO:
            return Tiling.WHOLE if pixels <= min(self.small_image_pixels, self.max_whole_pixels) else Tiling.EXACT
        if tiling is Tiling.WHOLE and pixels > self.max_whole_pixels:
            raise TilingError(
                f"an image of {width} x {height} pixels is too large for tiling=whole, which takes up to "
                f"{self.max_whole_pixels} pixels; tiling=exact gives the same mask"
            )
        return tiling

    def is_streamed(self, height: int, width: int, tiling: Tiling) -> bool:
        """Whether an image's first rows are told long before the last ones are."""
        return self.choose(height, width, tiling) is Tiling.EXACT and not self.should_transpose(height, width)

    def band_rows(self, height: int, width: int) -> int:
        """Rows of an image's bands but the last, a multiple of 32: so many that none is left with few of them."""
        most, divisor = _MAX_STRETCH
        total = aligned(height) // ALIGNMENT
        usual = max(1, self.band_pixels // aligned(width) // ALIGNMENT)
        count = -(-total // (usual * most // divisor))
        return -(-total // count) * ALIGNMENT

    @property
    def max_band_pixels(self) -> int:
        """Pixels of the largest band that has more rows than 32."""
        most, divisor = _MAX_STRETCH
        return self.band_pixels * most // divisor

    def should_transpose(self, height: int, width: int) -> bool:
        """Whether an image is to be cut into bands of columns."""
        return height < width and aligned(width) > min(self.max_band_width, 2 * self.band_pixels // ALIGNMENT)
