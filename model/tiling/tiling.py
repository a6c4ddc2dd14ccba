"""Tilings and their limits."""

from dataclasses import dataclass
from enum import StrEnum

from model.errors import TilingError
from model.networks.fcn import ALIGNMENT, aligned


class Tiling(StrEnum):
    """How an image is cut.

    ``whole``: one forward pass, padded right and bottom to multiples of 32.
    ``exact``: bands of rows, each computed once: the same result as ``whole`` in memory that does not grow with the
    image's height.
    ``overlap``: the book's tiling: rectangles that cover the image; where several cover a pixel, their transposed
    convolutions' outputs are averaged.
    ``auto``: ``whole`` for small images, ``exact`` for larger ones.
    """

    AUTO = "auto"
    WHOLE = "whole"
    EXACT = "exact"
    OVERLAP = "overlap"


_FEW_BANDS = 2
"""Number of bands up to which an image's bands may have ``max_band_pixels``."""


@dataclass(frozen=True, slots=True)
class TilingLimits:
    """Sizes of bands and tiles, and limits of each tiling.

    Attributes:
        band_pixels: pixels per band of ``exact``: enough that layers have many rows, but few enough that a small image
            does not wait long for a layer of a large one. The bands of an image have about the same height; if one or
            two suffice, they may have a quarter more pixels. A band has at least 32 rows; if these are more than twice
            as many pixels, and the image is wider than high, bands of columns are used.
        max_band_width: width in pixels up to which an image wider than high is cut into bands of rows: the memory for
            waiting rows grows with the width.
        small_image_pixels: maximum pixels of a padded image for which ``auto`` uses ``whole``.
        max_whole_pixels: maximum pixels of a padded image that ``whole`` accepts: its memory grows with the image.
        overlap_height, overlap_width: size in pixels of the rectangles of ``overlap``; the book's are 320 x 480.

    Raises:
        TilingError: a side is not a positive multiple of 32, or a band has fewer pixels than a square of 32.
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
        """Resolve ``auto`` for an image; return other tilings as they are.

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
        """Whether an image's first rows are predicted long before the last ones."""
        return self.choose(height, width, tiling) is Tiling.EXACT and not self.should_transpose(height, width)

    def band_rows(self, height: int, width: int) -> int:
        """Return the rows per band of an image, a multiple of 32; the last band may have fewer."""
        count = _band_count(height, width, self.max_band_pixels)
        if count > _FEW_BANDS:
            count = _band_count(height, width, self.band_pixels)
        return -(-aligned(height) // (count * ALIGNMENT)) * ALIGNMENT

    @property
    def max_band_pixels(self) -> int:
        """Maximum pixels of a band of more than 32 rows."""
        return self.band_pixels + self.band_pixels // 4

    def should_transpose(self, height: int, width: int) -> bool:
        """Whether an image is to be cut into bands of columns."""
        return height < width and aligned(width) > min(self.max_band_width, 2 * self.band_pixels // ALIGNMENT)


def _band_count(height: int, width: int, band_pixels: int) -> int:
    """Return the number of bands of at most ``band_pixels``, or of 32 rows, that cover an image."""
    band_rows = max(ALIGNMENT, band_pixels // aligned(width) // ALIGNMENT * ALIGNMENT)
    return -(-aligned(height) // band_rows)
