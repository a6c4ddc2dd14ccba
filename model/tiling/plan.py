"""Which rectangles of an image the network reads, and which part of each one's scores is kept. Pure geometry."""

from dataclasses import dataclass
from enum import StrEnum

from model.errors import TilingError
from model.networks.fcn import ALIGNMENT, aligned
from model.tiling.halo import Halo
from model.tiling.rectangle import Rectangle


class Tiling(StrEnum):
    """How an image is cut.

    ``whole``: one forward pass, padded right and bottom to multiples of 32.
    ``exact``: tiles with a halo, scores stitched: the same result as ``whole`` in memory that does not grow with it.
    ``overlap``: the book's: rectangles that cover the image; where several cover a pixel, their transposed
    convolutions' outputs are averaged.
    ``auto``: ``whole`` up to the size of a tile, ``exact`` above.
    """

    AUTO = "auto"
    WHOLE = "whole"
    EXACT = "exact"
    OVERLAP = "overlap"


@dataclass(frozen=True, slots=True)
class TilingLimits:
    """Sizes of the rectangles.

    Attributes:
        tile_size: greatest side of the tiles of ``exact``; up to its square in pixels ``auto`` takes ``whole``.
        max_whole_pixels: the largest padded image that ``whole`` takes: its memory grows with the image.
        overlap_height, overlap_width: rectangles of ``overlap``; the book's are 320 x 480.

    Raises:
        TilingError: a side is no positive multiple of 32.
    """

    tile_size: int = 2048
    max_whole_pixels: int = 16_000_000
    overlap_height: int = 320
    overlap_width: int = 480

    def __post_init__(self) -> None:
        for side in (self.tile_size, self.overlap_height, self.overlap_width):
            if side < ALIGNMENT or side % ALIGNMENT:
                raise TilingError(f"the side of a tile must be a positive multiple of {ALIGNMENT}, not {side}")


@dataclass(frozen=True, slots=True)
class Tile:
    """One forward pass.

    Attributes:
        source: the pixels read; sides are multiples of 32; may reach beyond the image, where it is padded.
        core: the pixels whose scores are kept, within ``source``.
    """

    source: Rectangle
    core: Rectangle


@dataclass(frozen=True, slots=True)
class Plan:
    """The tiles of an image.

    Attributes:
        tiles: their cores cover the image; stitched ones do so without overlap.
        stitched: whether all cores are part of one grid of scores that starts at the image's corner.
    """

    tiles: tuple[Tile, ...]
    stitched: bool


def plan_tiles(height: int, width: int, tiling: Tiling, limits: TilingLimits, halo: Halo) -> Plan:
    """Cut an image.

    Raises:
        TilingError: the image is too large for ``whole``, or the tiles are too small for the network's halo.
    """
    if tiling is Tiling.AUTO:
        fits = aligned(height) * aligned(width) <= min(limits.tile_size**2, limits.max_whole_pixels)
        tiling = Tiling.WHOLE if fits else Tiling.EXACT
    if tiling is Tiling.WHOLE:
        return _plan_whole(height, width, limits.max_whole_pixels)
    if tiling is Tiling.EXACT:
        return _plan_exact(height, width, limits.tile_size, halo)
    return _plan_overlap(height, width, limits.overlap_height, limits.overlap_width)


def _plan_whole(height: int, width: int, max_pixels: int) -> Plan:
    everything = Rectangle(0, 0, aligned(height), aligned(width))
    if everything.height * everything.width > max_pixels:
        raise TilingError(
            f"an image of {width} x {height} pixels is too large for tiling=whole, which takes up to {max_pixels} "
            "pixels; tiling=exact gives the same mask"
        )
    return Plan((Tile(everything, everything),), stitched=True)


def _plan_exact(height: int, width: int, tile_size: int, halo: Halo) -> Plan:
    rows = _exact_spans(aligned(height), tile_size, halo)
    columns = _exact_spans(aligned(width), tile_size, halo)
    tiles = tuple(
        Tile(
            source=Rectangle(row.start, column.start, row.length, column.length),
            core=Rectangle(
                row.core_start,
                column.core_start,
                row.core_stop - row.core_start,
                column.core_stop - column.core_start,
            ),
        )
        for row in rows
        for column in columns
    )
    return Plan(tiles, stitched=True)


@dataclass(frozen=True, slots=True)
class _Span:
    """A tile's extent along one axis."""

    start: int
    length: int
    core_start: int
    core_stop: int


def _exact_spans(extent: int, tile_size: int, halo: Halo) -> list[_Span]:
    """As few tiles as reach, all of one length, and no longer than they need be."""
    if extent <= tile_size:
        return [_Span(0, extent, 0, extent)]
    halo.require_room(tile_size)
    shared = halo.before + halo.after
    count = 1 + -(-(extent - tile_size) // (tile_size - shared))
    length = aligned(-(-(extent + (count - 1) * shared) // count))
    spans: list[_Span] = []
    covered = 0
    while covered < extent:
        start = max(0, min(covered - halo.before, extent - length))
        last = start + length == extent
        stop = extent if last else start + length - halo.after
        spans.append(_Span(start, length, covered, stop))
        covered = stop
    return spans


def _plan_overlap(height: int, width: int, tile_height: int, tile_width: int) -> Plan:
    rows = _overlap_starts(height, tile_height)
    columns = _overlap_starts(width, tile_width)
    size = _overlap_side(height, tile_height), _overlap_side(width, tile_width)
    rectangles = [Rectangle(top, left, *size) for top in rows for left in columns]
    return Plan(tuple(Tile(rectangle, rectangle) for rectangle in rectangles), stitched=False)


def _overlap_side(extent: int, tile: int) -> int:
    """The largest side that fits into the image; an image below 32 pixels is padded to 32."""
    return min(tile, max(ALIGNMENT, extent // ALIGNMENT * ALIGNMENT))


def _overlap_starts(extent: int, tile: int) -> list[int]:
    """As few rectangles as cover the axis, evenly spaced from its start to its end."""
    side = _overlap_side(extent, tile)
    count = max(1, -(-extent // side))
    if count == 1:
        return [0]
    return [number * (extent - side) // (count - 1) for number in range(count)]
